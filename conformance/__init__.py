"""What this project believes of AWS, as assertions against AWS's API: one function is one rule.

`make conform` asks the corrected moto, `make conform PROFILE=… REGION=…` a real account, `make conform-sweep`
deletes what a killed run left, `make conform-app` deploys the program itself and uses it. Nothing here
imports `chalicelib`: a fault of the program cannot hide in the rules. Page: docs/conformance.md.
"""
