"""Google Cloud, as the contract of tables needs it: a database of Firestore."""
