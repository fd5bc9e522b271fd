"""`python -m emq_elb`, for a checkout in which nothing is installed."""

import sys

from emq_elb.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
