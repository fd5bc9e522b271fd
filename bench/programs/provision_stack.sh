#!/bin/sh
# The same as a CloudFormation stack: the certificate first, since a stack's parameters are no place for a key.
set -eu

if [ "$1" = nothing ]; then
    for _ in 1 2; do aws --version; done
    exit
fi

ARN=$(aws iam get-server-certificate --server-certificate-name "$NAME" \
    --query ServerCertificate.ServerCertificateMetadata.Arn --output text 2>/dev/null) ||
    ARN=$(aws iam upload-server-certificate --server-certificate-name "$NAME" \
        --certificate-body "file://$CERTIFICATE" --private-key "file://$PRIVATE_KEY" \
        --certificate-chain "file://$CHAIN" --query ServerCertificateMetadata.Arn --output text)
aws cloudformation deploy --stack-name "$NAME" --template-file "$TEMPLATE" --no-fail-on-empty-changeset \
    --parameter-overrides "Name=$NAME" "Vpc=$VPC" "Certificate=$ARN" "Policy=$POLICY" \
    "Subnets=$(echo "$SUBNETS" | tr ' ' ,)" "Instances=$(echo "$INSTANCES" | tr ' ' ,)"
