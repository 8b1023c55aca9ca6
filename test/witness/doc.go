// Witness asks servers that we did not write what storetest asks every driver, and sweeps leftovers that the vendors' own
// clients made on them. It is a module of its own, so that what the servers and clients need stays out of the product's.
//
//	go -C test/witness run .
//
// runs every witness that is there and prints, for each, what passed and what was declared to deviate, with the reason.
// PARTSWEEP_WITNESSES names those that must run, as in "versitygw ceph gofakes3"; a witness that is not named and not
// installed is skipped, with a word about how to install it.
//
// Between partsweep and the server stands a transport that counts, and that lies where a question needs a lie which no
// real server tells at will: a 503, or a part that lands behind an abort. Everything else is the server's own answer.
package main
