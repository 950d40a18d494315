# shellcheck shell=bash
# Certificates for tests, by openssl. To be sourced. EC keys are quick to make.
#
#   certs_authority FILE NAME                FILE.pem and FILE.key
#   certs_sign AUTHORITY FILE NAMES [TIME]   FILE.pem and FILE.key for NAMES, as in subjectAltName;
#                                            TIME is "expired" or "to-come"
# Both return what openssl returns; what it says goes to standard error.

certs_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

certs_authority() {
	openssl req -x509 "${certs_key[@]}" -keyout "$1.key" -out "$1.pem" -days 30 -subj "/CN=$2" \
		-addext "basicConstraints=critical,CA:TRUE" -addext "keyUsage=critical,keyCertSign"
}

# Only `openssl ca` takes both dates in all versions.
certs_sign() {
	local authority=$1 file=$2 names=$3 from=-1 to=30
	case ${4-} in
	expired) from=-30 to=-1 ;;
	to-come) from=1 to=30 ;;
	esac
	openssl req "${certs_key[@]}" -keyout "$file.key" -out "$file.csr" -subj "/CN=a server" || return
	: >"$file.index"
	openssl rand -hex 8 >"$file.serial"
	printf '%s\n' '[ca]' 'default_ca = d' '[d]' "new_certs_dir = $(dirname "$file")" \
		"database = $file.index" "serial = $file.serial" 'default_md = sha256' 'policy = p' \
		'unique_subject = no' 'x509_extensions = e' '[p]' 'commonName = supplied' \
		'[e]' "subjectAltName = $names" 'basicConstraints = CA:FALSE' >"$file.cnf"
	openssl ca -batch -notext -config "$file.cnf" -cert "$authority.pem" -keyfile "$authority.key" \
		-in "$file.csr" -out "$file.pem" -startdate "$(certs_date "$from")" -enddate "$(certs_date "$to")"
}

certs_date() {
	date -u -d "$1 days" +%Y%m%d%H%M%SZ
}
