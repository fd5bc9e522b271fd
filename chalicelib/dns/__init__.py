"""Hosted zones of Route 53, and record sets in them: for ACME's challenges, and for names of load balancers.

It changes record sets through `apply`, those that its callers plan and no others. A record set that somebody
else changed in between is read and planned again, never overwritten. Pages: docs/dns.md, docs/rotate.md.
"""

PURE = ("keep", "plan", "records", "zones")
