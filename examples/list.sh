#!/bin/sh
# Prints the first page of an account's videos, as JSON.
#
# Run it behind the proxy, so that it never sees the API key:
#
#     apivideo-token run -allow 'GET /videos' -- sh list.sh
set -eu

# The secret goes through a pipe: other users could read an argument with ps.
printf 'user = "%s:"\n' "$APIVIDEO_API_KEY" |
	curl --silent --show-error --fail-with-body --max-time 30 --config - "$APIVIDEO_BASE_URL/videos"
