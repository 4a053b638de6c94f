#!/usr/bin/env bash
# Runs a study in pieces of SECONDS_EACH (default 280), so that others get turns on the machine:
#     WITH="flock /tmp/slot" studies/in_pieces.sh python studies/publish.py primary
# Each piece goes on where the last one stopped. It ends with the first piece that ends by itself;
# 124 is a piece that was stopped, 137 one that had to be killed 20 seconds later.
while :; do
    ${WITH:-} timeout --signal=INT --kill-after=20 "${SECONDS_EACH:-280}" "$@"
    code=$?
    [ $code -eq 124 ] || [ $code -eq 137 ] || exit $code
done
