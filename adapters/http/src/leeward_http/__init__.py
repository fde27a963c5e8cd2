"""leeward over HTTP: functions by URL, of any service that speaks HTTP and JSON."""
