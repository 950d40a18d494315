/*
 * tlstrust: why a server's certificate is not accepted.
 *
 * Not the verification (libcurl and tlspin.h), and not what to do about it (pve/pveanswer.h).
 *
 * Names only.
 *
 * The controller process.
 */
#ifndef RAMET_TLSTRUST_H
#define RAMET_TLSTRUST_H

enum tlstrust {
	TLSTRUST_FINE,	  /* or nothing came so far that it was looked at */
	TLSTRUST_UNKNOWN, /* of no authority, or with no fingerprint, that is trusted */
	TLSTRUST_EXPIRED,
	TLSTRUST_EARLY,	   /* by our clock it is not valid yet */
	TLSTRUST_MISNAMED, /* the address that was asked does not stand in it */
	TLSTRUST__MAX
};

#endif
