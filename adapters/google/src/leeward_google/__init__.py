"""Google Cloud for leeward: Cloud Functions, Pub/Sub, Cloud Tasks and Firestore."""
