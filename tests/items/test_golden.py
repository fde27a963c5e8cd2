"""What is stored stays as it was: documents of earlier versions are out there for ever."""

import json
from hashlib import sha256
from typing import Any

from leeward.adapter.items import encode
from leeward_contract_tests.rows import each_row
from tests.items.corpus import NASTY_ITEMS
from tests.items.respelling import PROFILES

GOLDEN = {
    "nothing": "ba04645d2f626682 ed755c439fddfd22 7a2388b7c4e0d317 ed755c439fddfd22",
    "constants": "5672edd0f7e1dff5 613bf7be86dcfc76 39310c1cf4462517 613bf7be86dcfc76",
    "ints": "0a9b8e6014352b46 35cef2f0b9b6813d f3a07379762e3db3 92043fe9a1841c96",
    "floats": "41536f5e41e1de42 7a7d4c7588c6c1fb 9c0dea93f79efe8e 2b06671239b87463",
    "decimals": "1ccfd35710fe02eb 5504bf714b9473e1 05854e9f18b853f0 6c135cf09d72b035",
    "moments": "2fd5b662f238ae58 7bfae0970e04ecf7 83400c26ad2f5f87 7bfae0970e04ecf7",
    "blobs": "6aceb71016d6b9ac 6e580f24580f08eb d16631e72b59ee61 6e580f24580f08eb",
    "strings": "f2ce5436d82af045 3c5e0309b28f3522 8d631720af650d9c 3c5e0309b28f3522",
    "lists of one type": "97587b33ca24363a 4c22fa39f5759edf d41503d72177cbf3 5cf05024c403357c",
    "a list of everything": "4196623b0f6c8ea4 a56f4862fe677176 a3d3b333f293a790 2409f22ef7882829",
    "equal but not alike": "cdae89f9898f0f38 c4f517aa82fd71ca 0b22dd22c5093376 f14167f353967c38",
    "odd names": "4197a8d2a72c2eb2 330feff7f80c501f c8424f61dfa96176 86dc74d6df1d683e",
    "odd names inside": "a7456ce1b7da2cf0 b85ee5a91b994fe7 64d42588b62b96d0 b9c5c65ffc5c000e",
    "odd names in a list": "c7034a94b4ba96e4 0b7888cdf5bd1599 c4f97705a69a1b84 0b7888cdf5bd1599",
    "empty containers": "fa1ec8a8756b338d c516b66ab9106e4a 71d26a360d498ffe c516b66ab9106e4a",
    "lists in lists": "a1cffe024edb88cc 43da593ebbcdc838 f9a9bdd54b2db72d a5bcee7d419ee83b",
    "a matrix": "96890dad273d06c7 07adbe6b17768190 437fe4f2940f4129 07adbe6b17768190",
    "a map like a wrapped list":
        "fc251fc460af17c9 3098c495d817c45a 1b9c1191e3f9293d 3098c495d817c45a",
    "maps like native values":
        "560b688c625d73a7 ff67a2e481681917 f0447e48dcd3ae84 ff67a2e481681917",
    "a reserved attribute": "9151e67567b5ad5f c50407da3ffed257 4271eff0b5921c55 c50407da3ffed257",
    "uniform records": "1615c725571acf85 be538a548e234a5a b98d8acbfa52d979 96973bf324b76b25",
    "mostly alike": "cba26a2ed7f91da4 6aff0dd7a07c3eba fc90c2648343ed9f 6aff0dd7a07c3eba",
    "deep dicts": "59c6b4a147febd98 9a0931d74446e6c6 db1c4fa6dbd86892 9a0931d74446e6c6",
    "deep lists": "a98835dc4520af22 2484ca1acaae5c16 0c9466153d743443 2484ca1acaae5c16",
    "deep both": "01003e34abb57888 4b8589e02cbe9103 cd46af71ccba8364 4b8589e02cbe9103",
    "large text": "bda7c849a6fdb7df cbe242a0a26890e3 b22c6b2ede640cdb cbe242a0a26890e3",
    "large blob": "6c5095b12bec43ac 570e334e4155992e 5a6068afbb04a8a1 570e334e4155992e",
    "many floats": "57f2d6c7a684fefe 0b9d45a9307e342b 227225d82e1bf555 0b9d45a9307e342b",
    "many names": "818d2a2ba12c2502 a998ad6650f66f92 49e50819adf85a16 a998ad6650f66f92",
}  # fmt: skip
"""Of the document of each nasty item, as JSON, the beginning of its SHA-256; one for each profile.
They were made before the walks over an item were merged into one."""


@each_row("name, item", NASTY_ITEMS)
def test_documents_are_byte_for_byte_what_they_were(name: str, item: dict[str, Any]) -> None:
    """Names in their order, numbers, type tree and digest: a change would be a new format."""
    found = [
        encode(item, profile, write_id="w-1", expires_at=1_700_000_000.25) for profile in PROFILES
    ]
    digests = [sha256(json.dumps(native).encode()).hexdigest()[:16] for native in found]
    assert digests == GOLDEN[name].split()
