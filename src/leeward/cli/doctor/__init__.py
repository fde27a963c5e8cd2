"""``leeward doctor``: whether a failover can happen, found out before it has to."""
