"""Facts of the same pages that no run asks about, each with the reason."""

from __future__ import annotations

BEYOND: tuple[tuple[str, str], ...] = (
    (
        "An account has 20 load balancers a region, a load balancer 100 listeners and 1,000 instances.",
        "To fill a quota costs more than a run may; DescribeAccountLimits is asked for the numbers.",
    ),
    (
        "A subnet has 8 free addresses for a load balancer.",
        "It would take a subnet full of interfaces; that /28 is refused is asked.",
    ),
    (
        "TCP keep-alive does not reset the idle timeout, MQTT's PINGREQ does.",
        "It needs a client that stays idle for minutes: `deep_probe` measures it on every load balancer.",
    ),
    (
        "A draining instance reads InService; at the limit of draining its open connections are cut.",
        "It needs a client with an open connection inside the VPC.",
    ),
    (
        "A classic load balancer speaks no SNI, no TLS 1.3, and asks for no client certificate.",
        "Only a handshake shows it, not the API: the probe looks at TLS versions on every load balancer.",
    ),
    (
        "Behind a firewall's endpoint the default route of a subnet is `vpce-…`.",
        "A firewall costs more than a run may.",
    ),
    ("DescribeInstanceHealth says Unknown for a transient error of its own.", "Nobody can provoke it."),
    (
        "A group cannot launch once its load balancer is gone.",
        "It takes Auto Scaling longer than a run to try, and to say so.",
    ),
    (
        "Zones may be unusable for classic load balancers (us-east-1f), which only a creation shows.",
        "It is about single zones of single accounts.",
    ),
    (
        "A listener whose certificate is gone reads Invalid-Certificate.",
        "DeleteConflict keeps a run from it.",
    ),
    ("IAM's path /cloudfront/ belongs to CloudFront.", "It is a use, not an answer of the API."),
    ("No event announces that an IAM certificate expires.", "A run cannot wait for one to expire."),
    (
        "EC2 Spot Instance Interruption Warning, EC2 Instance Rebalance Recommendation.",
        "Only AWS's fault injection makes them, which costs more than a run may.",
    ),
    ("ACM Certificate Approaching Expiration.", "It comes 45 days before the end of a certificate."),
    (
        "Spot instances can be taken back, with the status marked-for-termination.",
        "AWS decides when.",
    ),
    (
        "Instance refresh with ReplaceRootVolume holds an instance in ReplacingRootVolume:Wait.",
        "It takes Auto Scaling longer than a run.",
    ),
    (
        "A peered account's security group is revoked with its UserId.",
        "It needs a second account.",
    ),
    ("An organisation may deny regions, and Describe calls there.", "It needs an organisation."),
    (
        "Asynchronous invocations are tried up to three times and may come twice.",
        "The retries take minutes; that one comes twice cannot be provoked.",
    ),
    (
        "Lambda scales an idle function by up to 1,000 environments in ten seconds.",
        "A new account has a concurrency of 10.",
    ),
    ("Custom metrics cost about 0.30 USD a month, alarms 0.10.", "The bill says it, not the API."),
    (
        "Through ACM a classic load balancer takes neither RSA-4096 nor EC keys.",
        "No run imports into ACM; keys through IAM are asked about.",
    ),
    (
        "A load balancer, a certificate or a policy too many is TooManyLoadBalancers, LimitExceeded.",
        "To fill a quota costs more than a run may; policies are asked about.",
    ),
    (
        "DependencyThrottle, OperationNotPermitted, ConcurrentModification and Throttling are refusals too.",
        "They come under load only.",
    ),
    (
        "Until ELB's service-linked role exists, it calls EC2 with the caller's rights.",
        "It needs an account that never had a load balancer; that the role is there afterwards is asked.",
    ),
    (
        "A region has 50 network load balancers, one of them 50 listeners, 25 certificates, 3,000 targets.",
        "To fill a quota costs more than a run may; DescribeAccountLimits is asked for the numbers.",
    ),
    (
        "An Elastic IP that something else has is ResourceInUse for a network load balancer.",
        "A run takes no Elastic IP; an unknown one is asked about.",
    ),
    (
        "DeleteLoadBalancer is ResourceInUse while an endpoint service of PrivateLink uses it.",
        "An endpoint service costs more than a run may; deletion protection is asked about.",
    ),
    (
        "A network load balancer's TLS listener forgets a connection after 350 silent seconds.",
        "It needs a client that stays idle for minutes: `deep_probe` measures it on every load balancer.",
    ),
    (
        "A network load balancer resets the sessions of an unhealthy target, unless an attribute forbids it.",
        "It needs a client with an open connection inside the VPC.",
    ),
    (
        "A target that was deregistered may get new connections for two minutes and more.",
        "It needs a client inside the VPC that connects all the time.",
    ),
    ("API Gateway takes 10 MB.", "Chalice's package never comes near it."),
    (
        "logs:PutLogEvents is enough to write any metric.",
        "A metric of a log takes minutes to be listed, and stays for 15 months.",
    ),
    (
        "An alias with EvaluateTargetHealth follows the health of its load balancer.",
        "It is seen in DNS over minutes, not at the API.",
    ),
    (
        "A hosted zone refuses a change while an earlier one is at work: PriorRequestNotComplete.",
        "It comes under load only.",
    ),
)
