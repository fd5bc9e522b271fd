"""The lab's DNS: what Route 53's hosted zones say, answered on loopback as its name servers would."""
