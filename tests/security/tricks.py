"""Ways to get a request to somewhere else: hosts and URLs that no endpoint may have."""

from __future__ import annotations

from typing import Final

OWN: Final = "lambda.us-east-1.amazonaws.com"
"""What AWS itself would be asked by."""

LOOPBACK: Final = """
    127.0.0.1 127.1 127.0.1 2130706433 0x7f000001 0x7f.0x0.0x0.0x1 0x7f.1 0177.0.0.1
    017700000001 0177.0x0.0.1 127.0.0.1. 0 0.0.0.0 127.000.000.001 00000177.0.0.1 127.0.0.01
    0x07f000001 4294967295 3232235777 0xa9fea9fe [::1] [::] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1]
    [::ffff:7f00:1] [0:0:0:0:0:ffff:127.0.0.1] [64:ff9b::7f00:1] [2002:7f00:1::] [::127.0.0.1]
    localhost localhost. LOCALHOST localhost.localdomain ip6-localhost loopback 127.0.0.1.nip.io
    localtest.me spoofed.example a.localhost broadcasthost
""".split()
"""This machine, by every notation of its addresses and by names that lead to it."""

METADATA: Final = """
    169.254.169.254 169.254.170.2 2852039166 0xa9fea9fe 0251.0376.0251.0376 0xa9.0xfe.0xa9.0xfe
    169.254.43518 169.16689662 [::ffff:169.254.169.254] [::ffff:a9fe:a9fe] [fd00:ec2::254]
    [fd00:ec2::23] [fe80::1] [fe80::1%25eth0] [fe80::a9fe:a9fe] 168.63.129.16
    metadata.google.internal metadata instance-data instance-data.ec2.internal 100.100.100.200
    192.0.0.192 metadata.azure.internal 169.254.169.254.nip.io metadata.google.internal.
""".split()
"""Where clouds keep the credentials of a machine."""

PRIVATE: Final = """
    10.0.0.1 10.1 172.16.0.1 172.31.255.255 192.168.0.1 192.168.257 100.64.0.1 0.0.0.1
    198.18.0.1 224.0.0.1 255.255.255.255 [fc00::1] [fec0::1] [ff02::1] [::ffff:10.0.0.1]
    [::ffff:c0a8:1] 8.8.8.8 134744072 [2600:1f18::1] 1.1 kubernetes.default.svc vault.internal
    db.corp intranet
""".split()
"""Networks of one's own, addresses at large, and names that only a private resolver knows."""

LOOKALIKES: Final = """
    evil.example lambda.us-east-1.amazonaws.com.evil.example evil-amazonaws.com
    amazonaws.com.evil.example lambda.us-east-1.amazonaws.com. amazonaws.com
    us-east-1.amazonaws.com lambda.amazonaws.com lambda.us-east-1.amazonaws.co
    lambda.us-east-1.amazonaws.com.cn lambda.us-east-1.amazonaws.comm
    lambda.us-east-1.amazonaws.org xlambda.us-east-1.amazonaws.com
    lambda.us-west-2.amazonaws.com lambda.cn-north-1.amazonaws.com.cn
    a.lambda.us-east-1.amazonaws.com bucket.s3.amazonaws.com s3.us-east-1.amazonaws.com
    lambda.s3.amazonaws.com abc.execute-api.us-east-1.amazonaws.com
    abc.lambda-url.us-east-1.on.aws ec2-1-2-3-4.compute-1.amazonaws.com ip-10-0-0-1.ec2.internal
    x.us-east-1.elb.amazonaws.com abc.cloudfront.net x.elasticbeanstalk.com x.awsapps.com
    lambda-us-east-1.amazonaws.com lambda.us-east-1-amazonaws.com lambda_us-east-1.amazonaws.com
    lambda.us-east-1.amazonaws_com lambda.us-east-1.c2s.ic.gov
    vpce-1.s3.us-east-1.vpce.amazonaws.com vpce-1.lambda.us-east-1.amazonaws.com
    vpce-1.lambda.us-west-2.vpce.amazonaws.com x.vpce-1.lambda.us-east-1.vpce.amazonaws.com
    vpce-1.lambda.us-east-1.vpce.amazonaws.com.evil.example lambda.us-east-1.vpce.amazonaws.com
    vpce-.lambda.us-east-1.vpce.amazonaws.com xn--lmbda-0ra.us-east-1.amazonaws.com
    lambda.us-east-1.api.aws.evil.example api.aws lambda.us-east-1.amazonaws.eu
    lambda..us-east-1.amazonaws.com lambda.us-east-1.amazonaws.com..
    dynamodb.us-east-1.amazonaws.com events.us-east-1.amazonaws.com sts.us-east-1.amazonaws.com
    123456789012.ddb.us-east-1.amazonaws.com x.veo.endpoint.events.amazonaws.com
""".split()
"""Hosts that look like AWS's own for the service in the region, or belong to others there."""

_SYNTAX: Final = [
    f"http://{OWN}", f"HTTP://{OWN}", f"//{OWN}", OWN, f"ftp://{OWN}", f"gopher://{OWN}",
    f"file://{OWN}/etc/passwd", f"dict://{OWN}:11211", f"ldap://{OWN}", f"javascript://{OWN}",
    f"unix://{OWN}", f"ws://{OWN}", f"wss://{OWN}", f"httpss://{OWN}", f"https:{OWN}",
    f"https:/{OWN}", f"https:///{OWN}", f"https:\\\\{OWN}", f"https://\\{OWN}", f" https://{OWN}",
    f"https://{OWN} ", f"https://{OWN}\n", f"https://{OWN}\r\nHost: evil", f"\thttps://{OWN}",
    f"https://{OWN}\0", f"https://{OWN}\0.evil.example", f"https://{OWN}%00.evil.example",
    f"https://{OWN}%2eevil.example", f"https://{OWN}%2f@evil.example",
    f"https://{OWN}@evil.example", f"https://{OWN}:443@evil.example",
    f"https://evil.example@{OWN}", f"https://user@{OWN}", f"https://user:password@{OWN}",
    f"https://:@{OWN}", f"https://@{OWN}", f"https://{OWN}#@evil.example",
    f"https://{OWN}?@evil.example", f"https://{OWN}/@evil.example",
    f"https://{OWN}\\@evil.example", f"https://{OWN};evil.example", f"https://{OWN},evil.example",
    f"https://{OWN}&evil.example", f"https://{OWN}/path", f"https://{OWN}/?q", f"https://{OWN}/#f",
    f"https://{OWN}//", f"https://{OWN}/../", f"https://{OWN}/%2e%2e", f"https://{OWN}?",
    f"https://{OWN}#", f"https://{OWN}:", f"https://{OWN}:0", f"https://{OWN}:80",
    f"https://{OWN}:22", f"https://{OWN}:8443", f"https://{OWN}:4566", f"https://{OWN}:65536",
    f"https://{OWN}:-1", f"https://{OWN}:443:80", f"https://{OWN}:443 80",
    f"https://{OWN}:4\u0664\u0663", f"https://{OWN}:443a", f"https://{OWN}:+443",
    f"https://{OWN}:0x1bb", f"https://{OWN}:000443", "https://", "https://.", "https://..",
    "https://[", "https://[]", "https://[::1", "https://::1", "https://[::1]evil",
    f"https://[{OWN}]", "https://[v1.a]", "https://*.amazonaws.com",
    "https://l\u0430mbda.us-east-1.amazonaws.com", "https://lambda\u3002us-east-1.amazonaws.com",
    "https://lambda\uff0eus-east-1.amazonaws.com", "https://lambda\u2024us-east-1.amazonaws.com",
    "https://\u24db\u24d0mbda.us-east-1.amazonaws.com", "https://\u2460\u2461\u2466.0.0.1",
    "https://lambda.us-east-1.amazonaws\u200b.com", "https://lambda\u00ad.us-east-1.amazonaws.com",
    f"https://{OWN}\u2028", f"https://{OWN}\u2044x", f"https://evil.example\uff0f{OWN}",
    f"https://evil.example\uff03{OWN}", f"https://{OWN}\uff20evil.example", f"https://\u202e{OWN}",
    f"https://{OWN}\ud800", f"https://{OWN}^", f"https://{OWN}|", f"https://<{OWN}>",
    f'https://"{OWN}"', f"https://{OWN}`", f"https://{OWN}$x", f"https://{{{OWN}}}",
    f"https://{OWN}\x7f", "", f"http\u017f://{OWN}", "https://lambda.u\u017f-east-1.amazonaws.com",
]  # fmt: skip
"""Schemes, user names, ports, paths, escapes, and letters that look like others."""

HOSTS: Final = (*LOOPBACK, *METADATA, *PRIVATE, *LOOKALIKES)
URLS: Final = tuple(dict.fromkeys([*(f"https://{host}" for host in HOSTS), *_SYNTAX]))
