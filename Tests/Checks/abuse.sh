#!/usr/bin/env bash
# Abuse of the ingest port (10,000 connections, a million bad lines, a line of 100 MB, …) and of the HTTP service (1,000 slow clients) at full size with a healthy client's
# p99 without and with it, and the account of ten million datagrams. About half an hour on a quiet machine; not part of .ci/run.
. "$(dirname "$0")/common.sh"
build_release
export EYE_TEST_EXECUTABLE=$eye EYE_LONG_TESTS=1
swift test --filter 'AbuseTests|SlowClientTests|DatagramAccountTests'
