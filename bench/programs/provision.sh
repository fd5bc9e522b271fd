#!/bin/sh
# The article's steps with the AWS CLI, as its reader would write them down; the values come from the environment.
set -eu

if [ "$1" = nothing ]; then
    for _ in 1 2 3 4 5 6 7 8 9 10; do aws --version; done
    exit
fi

GROUP=$(aws ec2 create-security-group --group-name "$NAME-elb" --description "MQTT from everywhere" \
    --vpc-id "$VPC" --query GroupId --output text)
aws ec2 authorize-security-group-ingress --group-id "$GROUP" --protocol tcp --port 8883 --cidr 0.0.0.0/0
ARN=$(aws iam upload-server-certificate --server-certificate-name "$NAME" \
    --certificate-body "file://$CERTIFICATE" --private-key "file://$PRIVATE_KEY" \
    --certificate-chain "file://$CHAIN" --query ServerCertificateMetadata.Arn --output text)
# shellcheck disable=SC2086 # subnets and instances are several words
aws elb create-load-balancer --load-balancer-name "$NAME" --subnets $SUBNETS --security-groups "$GROUP" \
    --listeners \
    "Protocol=SSL,LoadBalancerPort=8883,InstanceProtocol=TCP,InstancePort=1883,SSLCertificateId=$ARN" \
    "Protocol=HTTP,LoadBalancerPort=18083,InstanceProtocol=HTTP,InstancePort=18083"
aws elb add-tags --load-balancer-names "$NAME" --tags Key=service,Value=mqtt
aws elb create-load-balancer-policy --load-balancer-name "$NAME" --policy-name tls \
    --policy-type-name SSLNegotiationPolicyType \
    --policy-attributes "AttributeName=Reference-Security-Policy,AttributeValue=$POLICY"
aws elb set-load-balancer-policies-of-listener --load-balancer-name "$NAME" --load-balancer-port 8883 \
    --policy-names tls
aws elb configure-health-check --load-balancer-name "$NAME" --health-check "$HEALTH_CHECK"
aws elb modify-load-balancer-attributes --load-balancer-name "$NAME" \
    --load-balancer-attributes "$ATTRIBUTES"
# shellcheck disable=SC2086
aws elb register-instances-with-load-balancer --load-balancer-name "$NAME" --instances $INSTANCES
