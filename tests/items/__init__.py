"""Items, native documents, and the nasty cases that other tests borrow."""
