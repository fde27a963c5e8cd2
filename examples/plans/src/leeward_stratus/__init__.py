"""leeward on Stratus: functions, events and items of one Stratus account."""
