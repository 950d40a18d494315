# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # stage.sh, words.sh and their callers share names
# The words of scenarios. A scenario is a file of lines; each line is one of these words:
#
#   given cluster SEED [TIMING=VALUE…] tests/fixtures/sim/SEED.yaml, as ramet-sim
#   given sim OPTION…                  options for ramet-sim; before the cluster
#   given repository https|file        empty, with a branch to come
#   given setting KEY=VALUE            of the controller, as in its configuration
#   given hook NAME                    of the repository; the script is read from here
#   commit "SUBJECT" FILE from PATH    to main; also: FILE <<END, FILE removed; several with commit -
#   start controller [OPTION…]         stop controller, kill controller, reload controller
#   stop_in_time                       stop controller, which takes 10 s at most
#   wait applied                       the newest commit is in force on every VM
#   wait status NAME CONDITION         Ready, Stalled, Drifted …; CONDITION=False
#   wait config NAME KEY VALUE         KEY of the guest's configuration; "absent"
#   wait report FILE contains TEXT     a file of the status branch; also: lacks
#   wait log TEXT                      a line of the controller's log since the last `remember`
#   wait journal FILTER                an entry of the cluster's journal since the last `remember`
#   wait no VM NAME                    no guest carries its marker
#   wait held PATTERN                  a fault holds METHOD PATH, or the task that it began
#   expect …                           the same as wait, at once, and:
#   expect clone NAME of VMID with CHANGE…   exactly so: KEY=VALUE, KEY.PART=VALUE, -KEY
#   expect guest NAME as remembered with CHANGE…   the same against `remember guest`
#   expect one VM NAME                 exactly one guest carries its marker
#   expect no VM NAME
#   expect cluster untouched           since the last `remember`, by the controller
#   expect log once TEXT               in exactly one line since the last `remember`
#   expect no log TEXT
#   expect commit message TEXT         on the status branch
#   expect pool NAME POOL              expect power NAME running|stopped
#   expect controller gone CODE        it has ended by itself with this exit status
#   human USER put NAME KEY=VALUE…     a hand edit by way of the API, as the web interface does it
#   human USER start|stop NAME
#   deny PRIVILEGE                     taken from the role that holds it; `allow` gives all of them back
#   cluster_does LINE                  over the control socket, after `given control`; see ramet-sim.md
#   guest_count                        prints how many guests there are
#   git_server_gone, git_server_back   git_quiet ARG… runs Git
#   authority NAME                     $stage/NAME.pem, which has signed nothing yet
#   cluster_certificate AUTHORITY [NAMES [expired]]   the cluster has one of it, and begins to show
#                                      it if it runs
#   fingerprint                        prints that of the cluster's certificate
#   remember [guest NAME]              from here on `log`, `journal` and `untouched` count
#
# Everything that can take time has a bound; nothing waits for a time to pass.

bound=${RAMET_E2E_BOUND:-40}
stage_trouble=story_fail
log_from=0
journal_from=0

# --- what to say when something is not as it should be ---

story_fail() {
	trap - ERR
	{
		echo
		echo "FAILED in ${scenario_name}, line $(scenario_line): $*"
		[ ! -s "$stage/pve.error" ] || echo "last error of the API: $(cat "$stage/pve.error")"
		story_part "controller's log (end)" tail -n 60 "$stage/controller.log"
		story_part "simulated cluster's log (end)" tail -n 15 "$stage/sim.log"
		story_part "cluster's journal (end)" tail -n 25 "$stage/cluster.journal"
		if stage_is_up sim; then
			story_part "guests" story_guests
		fi
		if [ -n "${stage_repo-}" ]; then
			story_part "commits on main" git -C "$stage_repo" log --oneline -n 10 main
			story_part "commits on the status branch" git -C "$stage_repo" log --oneline \
				-n 20 ramet/status
			story_part STATUS.md report STATUS.md
			story_part summary.json report summary.json
			story_part "vms/*.yaml" story_vms
		fi
	} >&2
	exit 1
}

story_part() {
	local title=$1
	shift
	echo "--- $title"
	"$@" 2>&1 || true
}

story_guests() {
	local vmid
	for vmid in $(pve root GET /cluster/resources type=vm | jq -r '.[].vmid' | sort -n); do
		echo "$vmid on $(node_of "$vmid"): $(guest_config "$vmid" | jq -c 'del(.digest)')"
	done
}

story_vms() {
	local f
	for f in $(git -C "$stage_repo" ls-tree --name-only ramet/status vms/ 2>/dev/null); do
		echo "# $f"
		report "$f" | head -n 70
	done
}

# The line of the scenario that is being run, for messages.
scenario_line() {
	local i
	for i in "${!BASH_SOURCE[@]}"; do
		if [ "${BASH_SOURCE[i]}" = "$scenario_file" ]; then
			echo "${BASH_LINENO[i - 1]}"
			return
		fi
	done
	echo "?"
}

# --- given ---

given() {
	local what=$1
	shift
	case $what in
	cluster) given_cluster "$@" ;;
	sim) stage_sim_args+=" $*" ;;
	control) stage_sim_args+=" --control $stage/sim.sock" ;;
	repository) stage_repository "${1:-https}" ;;
	setting) given_setting "$@" ;;
	hook) given_hook "$@" ;;
	*) story_fail "given $what: no such word" ;;
	esac
}

given_cluster() {
	local seed=$stage_tree/tests/fixtures/sim/$1.yaml
	[ -e "$seed" ] || story_fail "no such seed: $seed"
	shift
	stage_cluster "$seed" "$@"
}

# Settings go by the environment, which wins over the file.
given_setting() {
	local pair key
	for pair; do
		key=${pair%%=*}
		key=${key//./_}
		stage_env+=("RAMET_${key^^}=${pair#*=}")
	done
}

given_hook() {
	{ echo '#!/bin/sh' && cat; } >"$stage_repo/hooks/$1"
	chmod +x "$stage_repo/hooks/$1"
}

# --- merges ---

# commit "SUBJECT" FILE from PATH | FILE removed | FILE (content read from here)
commit() {
	local subject=$1 file=$2 how=${3-}
	local to=$stage/checkout/vms/$file
	mkdir -p "$(dirname "$to")"
	case $how in
	from) cp "$stage_tree/$4" "$to" || story_fail "no such file: $4" ;;
	removed) rm "$to" || story_fail "no such file in the repository: $file" ;;
	'') cat >"$to" ;;
	*) story_fail "commit: $how?" ;;
	esac
	git_quiet -C "$stage/checkout" add -A
	git_quiet -C "$stage/checkout" commit -m "$subject"
	git_quiet -C "$stage/checkout" push origin HEAD:main
}

git_quiet() {
	local out
	out=$(git "$@" 2>&1) || story_fail "git $*: $out"
}

# --- the controller ---

start() {
	[ "$1" = controller ] || story_fail "start $1?"
	shift
	[ -e "$stage/ramet.yaml" ] || stage_config
	stage_controller "$@"
}

stop() {
	stage_stop controller TERM
	[ "$stage_exit" = 0 ] || story_fail "the controller ended with $stage_exit, expected 0"
}

stop_in_time() {
	local from=${EPOCHREALTIME/./} took
	stop controller
	took=$(((${EPOCHREALTIME/./} - from) / 1000))
	echo "it ended within $took ms"
	[ $took -le $((10000 * stage_patience)) ] || story_fail "it took $took ms to end"
}

kill() {
	stage_stop controller KILL
}

reload() {
	builtin kill -HUP "${stage_pids[controller]}"
}

# --- conditions, for wait and expect ---

log_since() {
	tail -c "+$((log_from + 1))" "$stage/controller.log" 2>/dev/null
}

journal_since() {
	tail -n "+$((journal_from + 1))" "$stage/cluster.journal" 2>/dev/null
}

# The controller as the cluster knows it: its token's user.
journal_of_controller() {
	journal_since | jq -c 'select(.user | startswith("ramet@"))'
}

config_value() {
	local vmid
	vmid=$(vmid_of "$1") && guest_config "$vmid" | jq -r --arg k "$2" '.[$k] // "absent"'
}

# A manifest's name, or a VMID.
vmid_of() {
	case $1 in
	*[!0-9]*) vm_of "$1" ;;
	*) echo "$1" ;;
	esac
}

is_status() {
	local type=${2%%=*} want=True
	case $2 in *=*) want=${2#*=} ;; esac
	[ "$(condition "$1" "$type")" = "$want" ]
}

is_config() {
	[ "$(config_value "$1" "$2")" = "$3" ]
}

is_report() {
	case $2 in
	contains) report "$1" | grep -qF -- "$3" ;;
	lacks) ! report "$1" | grep -qF -- "$3" ;;
	*) story_fail "report $2?" ;;
	esac
}

guest_count() {
	pve root GET /cluster/resources type=vm | jq length
}

is_commit() {
	report_log | grep -qF -- "$2"
}

is_log() {
	log_since | grep -qF -- "$1"
}

is_journal() {
	[ -n "$(journal_since | jq -c "select($1)" | head -n 1)" ]
}

is_power() {
	local vmid node
	vmid=$(vmid_of "$1") && node=$(node_of "$vmid") &&
		[ "$(pve root GET "/nodes/$node/qemu/$vmid/status/current" | jq -r .status)" = "$2" ]
}

is_pool() {
	local vmid
	vmid=$(vmid_of "$1") && pve root GET "/pools/$2" |
		jq -e --argjson id "$vmid" 'any(.members[]; .vmid == $id)' >/dev/null
}

is_gone() {
	! stage_is_up controller
}

is_held() {
	grep -qE "^held $1" "$stage/sim.out"
}

# wait no VM NAME
is_no() {
	[ -z "$(vms_marked "$2")" ]
}

wait() {
	local what=$1
	shift
	until_true "$bound" "is_$what" "$@" || story_fail "waited $bound s in vain for: $what $*"
}

expect() {
	local what=$1
	shift
	case $what/${1-} in
	clone/*) expect_clone "$@" ;;
	guest/*) expect_guest "$@" ;;
	one/VM) expect_marked 1 "$2" ;;
	no/VM) expect_marked 0 "$2" ;;
	no/log) ! is_log "$2" || story_fail "the log has: $(log_since | grep -F -m1 -- "$2")" ;;
	log/once) expect_log_once "$2" ;;
	cluster/untouched) expect_untouched ;;
	controller/gone) expect_gone "$2" ;;
	config/*)
		is_config "$@" || story_fail "$1 $2: expected $3, found $(config_value "$1" "$2")"
		;;
	*) "is_$what" "$@" || story_fail "expected: $what $*" ;;
	esac
}

expect_clone() {
	[ "$2/$4" = of/with ] || story_fail "expect clone NAME of VMID with CHANGE…"
	expect_compared "$1" "$(guest_config "$3")" false "${@:5}"
}

expect_guest() {
	[ "$2/$3/$4" = as/remembered/with ] || story_fail "expect guest NAME as remembered with CHANGE…"
	expect_compared "$1" "$remembered_guest" true "${@:5}"
}

# expect_compared NAME CONFIG STRICT CHANGE…
expect_compared() {
	local name=$1 before=$2 strict=$3 vmid differences
	shift 3
	vmid=$(vms_marked "$name")
	case $vmid in
	*[!0-9]* | '') story_fail "there is not exactly one VM of $name: ${vmid:-none}" ;;
	esac
	differences=$(jq -rn -L "$stage_tree/tests/e2e/lib" \
		--argjson t "$before" --argjson strict "$strict" --argjson v "$(guest_config "$vmid")" \
		--arg id "$stage_id" --arg name "$name" --argjson vmid "$vmid" '
		include "leaves";
		compare($t; $v; $ARGS.positional; $id; $name; $vmid; "ramet"; $strict)' --args -- "$@" 2>&1)
	[ -z "$differences" ] || story_fail "$name ($vmid) is not what it came from with $*:
$differences"
}

expect_marked() {
	local n
	n=$(vms_marked "$2" | wc -l)
	[ "$n" = "$1" ] || story_fail "$n VMs carry the marker of $2, expected $1"
}

expect_log_once() {
	local n
	n=$(log_since | grep -cF -- "$1")
	[ "$n" = 1 ] || story_fail "$n lines of the log have \"$1\", expected one"
}

expect_untouched() {
	local touched
	touched=$(journal_of_controller)
	[ -z "$touched" ] || story_fail "the controller changed the cluster: $touched"
}

expect_gone() {
	local pid=${stage_pids[controller]-}
	until_true "$bound" is_gone || story_fail "the controller still runs"
	builtin wait "$pid"
	stage_exit=$?
	unset "stage_pids[controller]"
	[ "$stage_exit" = "$1" ] || story_fail "the controller ended with $stage_exit, expected $1"
}

# --- people ---

human() {
	local user=$1 verb=$2 vmid node
	vmid=$(vmid_of "$3") || story_fail "no VM of $3"
	node=$(node_of "$vmid") || story_fail "no VM $vmid"
	shift 3
	case $verb in
	put) pve_task "$user" PUT "/nodes/$node/qemu/$vmid/config" "$@" >/dev/null ;;
	start | stop) pve_task "$user" POST "/nodes/$node/qemu/$vmid/status/$verb" >/dev/null ;;
	*) story_fail "human $verb?" ;;
	esac || story_fail "the API refused it: $(cat "$stage/pve.error")"
}

# The role of deploy/pve-bootstrap that holds a privilege, without it.
deny() {
	local role privs
	while read -r role privs; do
		[[ ,$privs, == *",$1,"* ]] || continue
		set_role "$role" "$(tr , '\n' <<<"$privs" | grep -vxF "$1" | paste -sd, || true)"
		denied="$role $privs"
		return
	done < <(bootstrap_roles)
	story_fail "no role of pve-bootstrap holds $1"
}

allow() {
	[ -z "$denied" ] || set_role "${denied% *}" "${denied#* }"
	denied=
}
denied=

# "ROLE PRIVILEGE,…" for each.
bootstrap_roles() {
	sed -n '/^roles=(/,/^)/s/^\t"\(.*\)"$/\1/p' "$stage_tree/deploy/pve-bootstrap"
}

set_role() {
	pve root PUT "/access/roles/$1" "privs=$2" >/dev/null || story_fail "role $1: $(cat "$stage/pve.error")"
}

# What happens to the cluster beside its API.
cluster_does() {
	local answer
	command -v python3 >/dev/null || exit 77
	answer=$(python3 -c 'import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(20)
s.connect(sys.argv[1])
s.sendall(sys.argv[2].encode() + b"\n")
print(s.makefile().readline().strip())' "$stage/sim.sock" "$1" 2>&1)
	[ "$answer" = ok ] || story_fail "$1: $answer"
}

# The same Git server, on the same port, later.
git_server_gone() {
	"$stage_tree/tests/e2e/lib/git-server" stop "$stage/git"
}

git_server_back() {
	(cd "$stage/git" && rm -f cgi.sock &&
		env -i PATH="$PATH" HOME="$PWD" setsid fcgiwrap -c 4 -s "unix:$PWD/cgi.sock" \
			</dev/null >cgi.log 2>&1 & echo $! >"$stage/git/cgi.pid")
	until_true "$bound" test -S "$stage/git/cgi.sock" || story_fail "fcgiwrap does not start"
	PATH="$PATH:/usr/sbin:/sbin" nginx -p "$stage/git" -c "$stage/git/nginx.conf" \
		-e "$stage/git/nginx.log" || story_fail "nginx does not start"
}

authority() {
	certs_authority "$stage/$1" "$1" 2>>"$stage/openssl.log" || story_fail "$(cat "$stage/openssl.log")"
}

# Ours trusts all of them.
cluster_certificate() {
	local at=$stage/cluster
	mkdir -p "$at"
	certs_sign "$stage/$1" "$at/server" "${2:-IP:127.0.0.1}" "${3-}" 2>>"$stage/openssl.log" ||
		story_fail "$(cat "$stage/openssl.log")"
	cat "$stage/$1.pem" >>"$at/ca.pem"
	[ -n "${stage_pids[sim]-}" ] || return 0
	builtin kill -HUP "${stage_pids[sim]}"
	until_true "$bound" grep -qxF "fingerprint $(fingerprint)" "$stage/sim.out" ||
		story_fail "the cluster does not take the certificate: $(cat "$stage/sim.log")"
}

fingerprint() {
	openssl x509 -noout -fingerprint -sha256 -in "$stage/cluster/server.pem" | sed 's/.*=//'
}

# remember [guest NAME-OR-VMID]
remember() {
	[ $# = 0 ] || remembered_guest=$(guest_config "$(vmid_of "$2")") || story_fail "no guest $2"
	log_from=$(stat -c %s "$stage/controller.log" 2>/dev/null || echo 0)
	journal_from=$(wc -l <"$stage/cluster.journal" 2>/dev/null || echo 0)
}

# --- what must hold at the end of every scenario ---

# Writes of the controller went to guests that it made or that carried its marker, and nobody else.
# Secrets stand nowhere that people read.
always() {
	local strangers
	strangers=$(jq -rs --arg id "ramet: $stage_id/" '
		([.[] | select(.key == "description") | select((.after // "") | contains($id)) | .vmid]
			| unique) as $ours
		| [.[] | select(.user | startswith("ramet@")) | .vmid | select(. != 0)] | unique - $ours
		| map(tostring) | join(" ")' "$stage/cluster.journal") ||
		story_fail "the cluster's journal cannot be read"
	[ -z "$strangers" ] || story_fail "the controller changed guests that are not its own: $strangers"
	local secret
	for secret in "$(sed 's/.*=//' "$stage/pve-token" 2>/dev/null)" \
		"$(cat "$stage/git-password" 2>/dev/null)"; do
		[ -n "$secret" ] || continue
		! grep -qF -- "$secret" "$stage/controller.log" "$stage/controller.out" 2>/dev/null ||
			story_fail "a secret stands in the log"
		! { git -C "$stage_repo" grep -qF -- "$secret" ramet/status 2>/dev/null; } ||
			story_fail "a secret stands in the reports"
	done
	if stage_is_up controller; then
		stop controller
	fi
	! grep -qE 'ERROR: (Address|Leak|Undefined)|runtime error:|Assertion' "$stage/controller.log" ||
		story_fail "the controller's sanitizer or an assertion spoke"
}
