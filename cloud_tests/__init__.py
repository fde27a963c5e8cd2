"""The contract on real clouds, opt-in, in an account of your own.

`make test` never collects this folder. `make test-cloud` runs the file of the cloud that
LEEWARD_TEST_CLOUD names, and refuses without it. Only here may tests use the network.

A further cloud is a file ``test_<cloud>.py`` beside a package ``<cloud>``, whose module `account`
has `check(env)`, which raises `Refused` before anything is sent. What the tests need is announced
first (fixture `announce`), created in one `Teardown`, and removed when they have ended.
"""
