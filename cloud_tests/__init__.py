"""The contract on the real clouds: for those who ask for it, in an account of their own.

`make test` never collects this folder. `make test-cloud` runs the file of the cloud that
LEEWARD_TEST_CLOUD names, and refuses without it. Here, unlike in every other test, the network is
open.

A further cloud is a file ``test_<cloud>.py`` beside a package ``<cloud>``, whose module `account`
has `check(env)`, which raises `Refused` before anything is sent. What the tests need is made in
one `Undoing`, told through the fixture `tell` first, and gone when they have ended.
"""
