#!/usr/bin/env bash
# Runs a study in pieces of SECONDS_EACH (default 280), so that others get turns on the machine:
#     WITH="flock /tmp/slot" studies/in_pieces.sh python studies/publish.py primary
# Each piece goes on where the last one stopped. It ends with the first piece that ends by itself.
while :; do
    ${WITH:-} timeout --signal=INT --kill-after=20 "${SECONDS_EACH:-280}" "$@"
    [ $? -eq 124 ] || exit
done
