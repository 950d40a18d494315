# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # stage.sh, words.sh and their callers share names
# A stage for the real programs: a simulated cluster over TLS, a Git server or a plain repository,
# and a controller between them, all in one private folder. To be sourced.
#
#   stage_open BUILD            makes the folder $stage; everything ends with the shell
#   stage_cluster SEED [T=…]    starts ramet-sim
#   stage_repository https|file makes the repository $stage_repo (bare) and a clone to work in
#   stage_bootstrap [OPTION…]   user, rights and token, made by deploy/pve-bootstrap
#   stage_config                writes $stage/ramet.yaml; with a bootstrapped token if there is none
#   stage_controller [ARG…]     starts `ramet run`
#   stage_stop NAME [SIGNAL]    ends sim or controller
#   stage_close                 ends everything and removes the folder
#   pve USER METHOD PATH [KEY=VALUE…]   one call of the PVE API; prints its data
#   until_true SECONDS COMMAND…         tries until it succeeds
#
# Nothing outlives the shell, not even when it is killed. Who sources it may set stage_trouble, a command that is told why something does not start.

stage_tree=$(cd "$(dirname "${BASH_SOURCE[0]}")/../../.." && pwd)
# shellcheck source=tests/e2e/lib/certs.sh
. "$stage_tree/tests/e2e/lib/certs.sh"
stage_id=stage
stage_patience=${RAMET_PATIENCE:-1}
stage=
declare -A stage_pids=()

stage_fail() {
	"${stage_trouble:-stage_say}" "$*"
	exit 1
}

stage_say() {
	echo "$*" >&2
}

stage_open() {
	stage_build=$(cd "$1" 2>/dev/null && pwd) || stage_fail "no such build folder: $1"
	local program
	for program in ramet ramet-sim; do
		[ -x "$stage_build/$program" ] || stage_fail "$stage_build/$program is not built"
	done
	stage=$(mktemp -d "${TMPDIR:-/tmp}/ramet.XXXXXX")
	chmod 700 "$stage"
	# Neither the settings of whoever starts it nor his Git shall play a part.
	local name
	for name in $(compgen -e RAMET_) $(compgen -e GIT_); do
		unset "$name"
	done
	export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null GIT_TERMINAL_PROMPT=0
	export GIT_AUTHOR_NAME="${stage_author:-Robin}" GIT_AUTHOR_EMAIL=robin@example.org
	export GIT_COMMITTER_NAME=$GIT_AUTHOR_NAME GIT_COMMITTER_EMAIL=$GIT_AUTHOR_EMAIL
}

# Succeeds as soon as the command does. Only the bound is in time; nothing waits longer than it must.
until_true() {
	local end=$((SECONDS + $1 * stage_patience))
	shift
	until "$@"; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
}

stage_is_up() {
	local pid=${stage_pids[$1]-}
	[ -n "$pid" ] && builtin kill -0 "$pid" 2>/dev/null
}

stage_stop() {
	local pid=${stage_pids[$1]-}
	[ -n "$pid" ] || return 0
	builtin kill "-${2:-TERM}" "$pid" 2>/dev/null
	builtin wait "$pid" 2>/dev/null
	stage_exit=$?
	unset "stage_pids[$1]"
}

stage_close() {
	local name
	for name in "${!stage_pids[@]}"; do
		builtin kill "${stage_pids[$name]}" 2>/dev/null
	done
	for name in "${!stage_pids[@]}"; do
		# Who does not end when asked is ended: a test must not leave anything behind.
		until_true 12 stage_gone "${stage_pids[$name]}" ||
			builtin kill -KILL "${stage_pids[$name]}" 2>/dev/null
	done
	stage_pids=()
	[ ! -e "${stage-}/git" ] || "$stage_tree/tests/e2e/lib/git-server" stop "$stage/git"
	[ -z "${stage-}" ] || [ -n "${stage_keep-}" ] || rm -rf "$stage"
	stage=
}

stage_gone() {
	! builtin kill -0 "$1" 2>/dev/null
}

# --- the cluster ---

# stage_cluster SEED [TIMING=VALUE…]: ramet-sim, with some of the seed's timings replaced.
stage_cluster() {
	local pair args=()
	stage_seed=$stage/seed.yaml
	cp "$1" "$stage_seed" || stage_fail "no such seed: $1"
	shift
	for pair; do
		grep -q "^  ${pair%%=*}:" "$stage_seed" || stage_fail "the seed has no timing ${pair%%=*}"
		sed -i "s/^  ${pair%%=*}:.*/  ${pair%%=*}: ${pair#*=}/" "$stage_seed"
	done
	: >"$stage/cluster.journal"
	: >"$stage/sim.out"
	[ -z "${stage_sim_args-}" ] || read -ra args <<<"$stage_sim_args"
	setpriv --pdeathsig KILL "$stage_build/ramet-sim" --seed "$stage_seed" --listen 127.0.0.1:0 --all-nodes \
		--tls-dir "$stage/cluster" --journal "$stage/cluster.journal" "${args[@]}" \
		>"$stage/sim.out" 2>"$stage/sim.log" </dev/null &
	stage_pids[sim]=$!
	until_true 20 stage_cluster_is_up || stage_fail "ramet-sim does not start: $(cat "$stage/sim.log")"
}

stage_cluster_is_up() {
	grep -qx ready "$stage/sim.out" || return 1
	mapfile -t stage_endpoints < <(awk '$1 == "endpoint" { print $2 }' "$stage/sim.out")
	stage_ca=$(awk '$1 == "ca" { print $2 }' "$stage/sim.out")
}

# The token of a user, in the form of a token file. Names without a realm will do.
stage_token() {
	sed -nE "s/.*name: \"($1@[^\"]*)\".*tokens: \[\{ name: ([^,]*), secret: ([^,]*),.*/\1!\2=\3/p" \
		"$stage_seed"
}

pve() {
	local user=$1 method=$2 path=$3 args=() out
	shift 3
	[ -e "$stage/header.$user" ] || (
		umask 077
		printf 'Authorization: PVEAPIToken=%s\n' "$(stage_token "$user")" >"$stage/header.$user"
	)
	local pair
	for pair; do
		args+=(--data-urlencode "$pair")
	done
	[ "$method" != GET ] || args+=(--get)
	out=$(curl -sS --max-time 40 --cacert "$stage_ca" -H "@$stage/header.$user" -X "$method" \
		-w '\n%{http_code}' "${args[@]}" "${stage_endpoints[0]}/api2/json$path" 2>&1)
	if [ "${out##*$'\n'}" != 200 ]; then
		printf '%s\n' "$user $method $path: $out" >"$stage/pve.error"
		return 1
	fi
	jq -c .data <<<"${out%$'\n'*}"
}

# Waits for the task that a call returned, if it did.
pve_task() {
	local upid
	upid=$(pve "$@") || return 1
	upid=${upid//\"/}
	case $upid in
	UPID:*) until_true 30 pve_task_ended "$upid" ;;
	esac
}

pve_task_ended() {
	local node=${1#UPID:}
	[ "$(pve root GET "/nodes/${node%%:*}/tasks/$1/status" | jq -r .status)" = stopped ]
}

# Where a guest is; fails if there is none.
node_of() {
	pve root GET /cluster/resources type=vm |
		jq -re --argjson id "$1" '.[] | select(.vmid == $id) | .node'
}

guest_config() {
	local node
	node=$(node_of "$1") || return 1
	pve root GET "/nodes/$node/qemu/$1/config"
}

# "NAME VMID" of every guest that carries a marker of this controller, by name, in one connection.
markers() {
	local args=() ids=() vmid node
	while read -r vmid node; do
		ids+=("$vmid")
		args+=("${stage_endpoints[0]}/api2/json/nodes/$node/qemu/$vmid/config")
	done < <(pve root GET /cluster/resources type=vm |
		jq -r '.[] | select(.type == "qemu") | "\(.vmid) \(.node)"')
	[ ${#args[@]} -gt 0 ] || return 0
	curl -sS --max-time 40 --cacert "$stage_ca" -H "@$stage/header.root" "${args[@]}" 2>/dev/null |
		jq -rs --arg id "$stage_id" '[., $ARGS.positional] | transpose[] | .[1] as $vmid
			| .[0].data.description // "" | split("\n")[]
			| capture("^ramet: \($id)/(?<name>[^ ]+) vmid=\($vmid) ")
			| "\(.name) \($vmid)"' --args -- "${ids[@]}" | sort
}

# VMIDs of the guests that carry the marker of this manifest, one per line.
vms_marked() {
	markers | awk -v name="$1" '$1 == name { print $2 }'
}

# The one VM of a manifest, remembered from the first time on.
vm_of() {
	local all
	if [ ! -e "$stage/vm.$1" ]; then
		all=$(vms_marked "$1")
		[ -n "$all" ] && [ "${all#*$'\n'}" = "$all" ] || return 1
		echo "$all" >"$stage/vm.$1"
	fi
	cat "$stage/vm.$1"
}

# --- the repository ---

stage_repository() {
	local kind=${1:-file} line rc
	case $kind in
	https)
		"$stage_tree/tests/e2e/lib/git-server" start "$stage/git" --until $$ >"$stage/git.out"
		rc=$?
		[ $rc != 77 ] || exit 77
		[ $rc = 0 ] || stage_fail "the Git server does not start"
		while read -r line; do
			case $line in
			ca=*) stage_git_ca=${line#ca=} ;;
			user=*) stage_git_user=${line#user=} ;;
			password=*) (umask 077 && printf '%s\n' "${line#password=}" >"$stage/git-password") ;;
			repos=*) stage_repo=${line#repos=}/vms.git ;;
			esac
		done <"$stage/git.out"
		stage_git_url=$("$stage_tree/tests/e2e/lib/git-server" repo "$stage/git" vms) ||
			stage_fail "the Git server makes no repository"
		;;
	file)
		stage_repo=$stage/vms.git
		git init -q --bare -b main "$stage_repo"
		stage_git_url=file://$stage_repo
		;;
	*) stage_fail "no such kind of repository: $kind" ;;
	esac
	git init -q -b main "$stage/checkout"
	git -C "$stage/checkout" remote add origin "$stage_repo"
}

# A file of the status branch; empty if there is none.
report() {
	git -C "$stage_repo" show "refs/heads/${stage_report_branch:-ramet/status}:$1" 2>/dev/null
}

report_log() {
	git -C "$stage_repo" log --format='%s%n%b' "refs/heads/${stage_report_branch:-ramet/status}" \
		2>/dev/null
}

main_head() {
	git -C "$stage_repo" rev-parse -q --verify refs/heads/main
}

# Everything that is merged is in force, as far as it can be.
is_applied() {
	[ "$(report summary.json | jq -r .revision.applied 2>/dev/null)" = "$(main_head)" ]
}

# "True", "False" or "Unknown" of a condition in vms/NAME.yaml.
condition() {
	report "vms/$1.yaml" | awk -v want="$2" '
		$1 == "-" && $2 == "type:" { type = $3 }
		$1 == "status:" && type == want { gsub(/"/, "", $2); print $2; exit }'
}

# --- the controller ---

# What an administrator does first. Whatever runs here runs with these rights and no others.
stage_bootstrap() {
	(umask 077 && sed -nE 's/.*name: "root@pam", password: ([^,]*),.*/\1/p' "$stage_seed" >"$stage/root-password")
	PVE_PASSWORD_FILE=$stage/root-password "$stage_tree/deploy/pve-bootstrap" --endpoint "${stage_endpoints[0]}" \
		--ca "$stage_ca" --token-file "$stage/pve-token" "$@" >"$stage/bootstrap.out" 2>&1 ||
		stage_fail "pve-bootstrap: $(cat "$stage/bootstrap.out")"
}

# Short intervals: nobody should wait for a poll. Other settings come from the environment.
stage_config() {
	[ -e "$stage/pve-token" ] || stage_bootstrap --whole-cluster
	{
		echo "controller: { id: $stage_id, state_dir: $stage/state }"
		echo "git:"
		echo "  url: $stage_git_url"
		echo "  path: vms"
		echo "  interval: 1s"
		if [ -n "${stage_git_ca-}" ]; then
			echo "  username: $stage_git_user"
			echo "  password_file: $stage/git-password"
			echo "  ca_file: $stage_git_ca"
		fi
		echo "cluster:"
		echo "  endpoints: [$(IFS=, && echo "${stage_endpoints[*]}")]"
		echo "  token_file: $stage/pve-token"
		echo "  ca_file: $stage_ca"
		echo "report: { interval: 200ms }"
		echo "policy: { vmid_range: 1000-1999 }"
		echo "reconcile: { tick: 500ms }"
		echo "http: { listen: \"\" }"
	} >"$stage/ramet.yaml"
}

# shellcheck disable=SC2120 # options of ramet are for scenarios
stage_controller() {
	setpriv --pdeathsig KILL env "${stage_env[@]}" "$stage_build/ramet" --config "$stage/ramet.yaml" run "$@" \
		>>"$stage/controller.out" 2>>"$stage/controller.log" </dev/null &
	stage_pids[controller]=$!
}
stage_env=()
