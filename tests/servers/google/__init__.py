"""Google Cloud on loopback: functions, Pub/Sub, Firestore, and who gives out tokens."""
