"""Google Cloud, as the contract needs it: a function, its topics, a database of Firestore."""
