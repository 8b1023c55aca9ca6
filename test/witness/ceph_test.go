package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/partsweep/partsweep/shared/store"
	"github.com/partsweep/partsweep/shared/store/obsstore"
	"github.com/partsweep/partsweep/shared/store/storetest"
)

// cephConf is one monitor, one storage daemon in memory and one gateway, on loopback, with no keys between them. The
// gateway hangs for ever without the crc modes, and making a pool takes seconds without the paxos intervals.
const cephConf = `[global]
fsid = {fsid}
mon initial members = a
mon host = [v2:{mon}/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
public network = 127.0.0.0/8
ms bind ipv4 = true
ms bind ipv6 = false
auth cluster required = none
auth service required = none
auth client required = none
ms mon client mode = crc
ms client mode = crc
ms service mode = crc
ms cluster mode = crc
ms mon service mode = crc
ms mon cluster mode = crc
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 1073741824
osd class load list = *
osd class default list = *
run dir = {dir}/run
admin socket = {dir}/run/$name.asok
log file = {dir}/log/$name.log
pid file = {dir}/run/$name.pid
crash dir = {dir}/log
[mon]
paxos propose interval = 0.05
paxos min wait = 0.01
mon osd initial require min compat client = luminous
mon data = {dir}/mon/$id
mon data avail crit = 1
[osd]
osd data = {dir}/osd/$id
osd memory target = 1073741824
[client]
keyring = {dir}/keyring
rgw data = {dir}/rgw
rgw frontends = beast endpoint={rgw}
rgw dns name = localhost
rgw enable gc threads = false
rgw enable lc threads = false
rgw crypt require ssl = false
`

const uuid = "/proc/sys/kernel/random/uuid"

// startCeph starts a cluster and returns the gateway's URL.
func startCeph(t *testing.T) (url, accessKey, secret string) {
	t.Helper()
	for _, binary := range []string{"radosgw", "radosgw-admin", "ceph-mon", "ceph-osd", "ceph", "monmaptool", "ceph-authtool"} {
		if _, err := exec.LookPath(binary); err != nil {
			need(t, "ceph", "apt-get install --no-install-recommends radosgw ceph-mon ceph-osd ceph-mgr ceph-common")
		}
	}
	dir := t.TempDir()
	for _, d := range []string{"mon/a", "osd/0", "rgw", "log", "run"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	monitor, gateway := loopback(port(t)), loopback(port(t))
	fsid := newUUID(t)
	conf := filepath.Join(dir, "ceph.conf")
	text := strings.NewReplacer("{dir}", dir, "{fsid}", fsid, "{mon}", monitor, "{rgw}", gateway).Replace(cephConf)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	keyring, monmap := filepath.Join(dir, "keyring"), filepath.Join(dir, "monmap")
	run(t, "monmaptool", "--create", "--clobber", "--fsid", fsid, "--addv", "a", "[v2:"+monitor+"/0]", monmap)
	run(t, "ceph-authtool", "--create-keyring", keyring, "--gen-key", "-n", "mon.", "--cap", "mon", "allow *")
	run(t, "ceph-authtool", keyring, "--gen-key", "-n", "client.admin", "--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *")
	run(t, "ceph-mon", "--mkfs", "-c", conf, "-i", "a", "--monmap", monmap, "--keyring", keyring)
	start(t, dir, "ceph-mon", "-c", conf, "-i", "a", "-f")
	ask := func(args ...string) (string, error) {
		out, err := exec.Command("timeout", append([]string{"5", "ceph", "-c", conf}, args...)...).Output()
		return string(out), err
	}
	await(t, "the monitor answers", func() bool { _, err := ask("mon", "stat"); return err == nil })
	osd := newUUID(t)
	if out, err := ask("osd", "new", osd); err != nil {
		t.Fatalf("osd new: %v %s", err, out)
	}
	run(t, "ceph-osd", "-c", conf, "-i", "0", "--mkfs", "--osd-uuid", osd)
	start(t, dir, "ceph-osd", "-c", conf, "-i", "0", "-f")
	await(t, "the storage daemon is up", func() bool { out, _ := ask("osd", "stat"); return strings.Contains(out, "1 up") })
	start(t, dir, "radosgw", "-c", conf, "-n", "client.admin", "-f")
	url = "http://" + gateway
	await(t, "the gateway answers", func() bool { return answers(url) })
	run(t, "radosgw-admin", "-c", conf, "user", "create", "--uid=test", "--display-name=Test", "--access-key=AKCEPH", "--secret=SKCEPH")
	t.Logf("version: %s", strings.Fields(run(t, "radosgw", "--version"))[2])
	return url, "AKCEPH", "SKCEPH"
}

func newUUID(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(uuid)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// Ceph is asked in both of the languages that it speaks: S3, and the one of OBS's SDKs, which sign with V2 where the bucket
// stands in the path.
func TestCeph(t *testing.T) {
	url, accessKey, secret := startCeph(t)
	for _, w := range []*witness{
		{scheme: "s3", client: newAWS(url, accessKey, secret), open: openS3, declared: storetest.Deviations{}},
		{scheme: "obs", client: newOBS(t, url, accessKey, secret), open: openOBS, declared: storetest.Deviations{}},
	} {
		t.Run(w.scheme, func(t *testing.T) {
			w.url, w.accessKey, w.secret = url, accessKey, secret
			w.examine(t)
			t.Run("lifecycle", w.lifecycle)
		})
	}
}

func openOBS(cfg store.Config, pageSize int) (store.Driver, error) {
	cfg.Signature = "v2"
	d, err := obsstore.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("open obsstore: %w", err)
	}
	d.PageSize = pageSize
	return d, nil
}
