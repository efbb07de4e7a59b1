#!/usr/bin/env bash
# The house's formatting, and clean shell scripts.
. "$(dirname "$0")/common.sh"
swift format lint --strict -r Sources Tests Package.swift
echo "Swift: clean"
if command -v shellcheck >/dev/null; then
    shellcheck -x -P SCRIPTDIR .ci/run .ci/packages $checks/*.sh $checks/*/*.sh packaging/image-root
    echo "shell: clean"
else
    echo "shell: not looked at, there is no shellcheck"
fi
