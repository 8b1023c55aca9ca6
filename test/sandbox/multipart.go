package sandbox

import (
	"net/http"
	"slices"
	"strconv"
)

// createUpload answers CreateMultipartUpload, called InitiateMultipartUpload by all but the newest documents.
func (o *objectStore) createUpload(w http.ResponseWriter, c *call) *refusal {
	u := c.bucket.begin(c.at.key, o.now(), o.dialect.newUploadID)
	d := o.document("InitiateMultipartUploadResult")
	d.text("Bucket", c.at.bucket)
	d.text("Key", c.at.key)
	d.text("UploadId", u.id)
	d.close("InitiateMultipartUploadResult")
	send(w, http.StatusOK, d)
	return nil
}

// maxPartNumber is the same everywhere.
const maxPartNumber = 10_000

// uploadPart answers UploadPart. An upload that ends while its part is still coming in loses the part.
func (o *objectStore) uploadPart(w http.ResponseWriter, c *call) *refusal {
	number, err := c.query.count("partNumber", 0)
	if err != nil || number < 1 || number > maxPartNumber {
		return denyBecause("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
	}
	id := c.target.UploadID
	if !c.bucket.has(c.at.key, id) {
		return deny("NoSuchUpload")
	}
	p, no := c.drain(false)
	if no != nil {
		return no
	}
	if !c.bucket.put(c.at.key, id, Part{Number: number, Size: p.size, Modified: o.now()}, p.etag) {
		return deny("NoSuchUpload")
	}
	o.announce(w.Header(), p)
	w.WriteHeader(http.StatusOK)
	return nil
}

// completeUpload answers CompleteMultipartUpload.
func (o *objectStore) completeUpload(w http.ResponseWriter, c *call) *refusal {
	id := c.target.UploadID
	if !c.bucket.has(c.at.key, id) {
		return deny("NoSuchUpload")
	}
	numbers, err := c.partNumbers()
	if err != nil {
		return deny("MalformedXML")
	}
	etag, code := c.bucket.complete(c.at.key, id, numbers, o.now())
	if code != "" {
		return deny(code)
	}
	d := o.document("CompleteMultipartUploadResult")
	d.text("Location", "http://"+c.r.Host+c.path)
	d.text("Bucket", c.at.bucket)
	d.text("Key", c.at.key)
	d.text("ETag", `"`+etag+`"`)
	d.close("CompleteMultipartUploadResult")
	send(w, http.StatusOK, d)
	return nil
}

// abortUpload answers AbortMultipartUpload.
func (o *objectStore) abortUpload(w http.ResponseWriter, c *call) *refusal {
	var land int64
	if f := faultOf(c.r); f != nil {
		land = f.LandPart
	}
	if !c.bucket.abort(c.at.key, c.target.UploadID, land, o.now(), c.r.UserAgent()) {
		return deny("NoSuchUpload")
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// pageSize reads a parameter that limits a page. More than the service gives is not an error.
func (o *objectStore) pageSize(c *call, name string) (int, *refusal) {
	const limit = 1000
	most := limit
	if o.sandbox.opt.MaxPage > 0 {
		most = min(limit, o.sandbox.opt.MaxPage)
	}
	n, err := c.query.count(name, limit)
	if err != nil {
		return 0, denyBecause("InvalidArgument", "Argument "+name+" must be an integer between 0 and 2147483647",
			[2]string{"ArgumentName", name}, [2]string{"ArgumentValue", c.query.value(name)})
	}
	if n == 0 && o.service == OBS { // documented: out of range acts as 1000
		n = limit
	}
	return min(n, most), nil
}

// encoding returns how a listing writes keys.
func (o *objectStore) encoding(c *call) (kind string, encode func(string) string, no *refusal) {
	switch kind = c.query.value("encoding-type"); kind {
	case "":
		return "", func(s string) string { return s }, nil
	case "url":
		return kind, o.traits.encode, nil
	}
	return "", nil, denyBecause("InvalidArgument", "Invalid Encoding Method specified in Request",
		[2]string{"ArgumentName", "encoding-type"}, [2]string{"ArgumentValue", kind})
}

// listUploads answers ListMultipartUploads.
func (o *objectStore) listUploads(w http.ResponseWriter, c *call) *refusal {
	max, no := o.pageSize(c, "max-uploads")
	if no != nil {
		return no
	}
	kind, encode, no := o.encoding(c)
	if no != nil {
		return no
	}
	q := listing{prefix: c.query.value("prefix"), delimiter: c.query.value("delimiter"), max: max,
		keyMarker: c.query.value("key-marker"), idMarker: c.query.value("upload-id-marker")}
	page, no := o.page(c, q)
	if no != nil {
		return no
	}
	d := o.document("ListMultipartUploadsResult")
	o.writeQuery(d, c, q, kind, encode, page)
	d.b = slices.Grow(d.b, 640*len(page.uploads)) // about what one takes
	for _, u := range page.uploads {
		o.writeUpload(d, u, encode)
	}
	for _, p := range page.prefixes {
		d.open("CommonPrefixes")
		d.text("Prefix", encode(p))
		d.close("CommonPrefixes")
	}
	d.close("ListMultipartUploadsResult")
	send(w, http.StatusOK, d)
	return nil
}

// page makes a page of a listing.
func (o *objectStore) page(c *call, q listing) (uploadPage, *refusal) {
	if o.sandbox.opt.Quirks.active() {
		return o.quirky(c, q)
	}
	page, known := c.bucket.list(q)
	if !known && o.traits.strict {
		return page, denyBecause("InvalidArgument", "Invalid uploadId marker",
			[2]string{"ArgumentName", "upload-id-marker"}, [2]string{"ArgumentValue", q.idMarker})
	}
	return page, nil
}

// writeQuery writes the part of a listing that repeats the question and says how to go on.
func (o *objectStore) writeQuery(d *document, c *call, q listing, kind string, encode func(string) string, page uploadPage) {
	d.text("Bucket", c.at.bucket)
	if (o.traits.codingAlways || kind != "") && !o.sandbox.opt.Quirks.EncodesSilently {
		d.text(o.traits.uploadsCoding, kind)
	}
	d.text("KeyMarker", encode(q.keyMarker))
	d.text("UploadIdMarker", q.idMarker)
	switch quirks := &o.sandbox.opt.Quirks; {
	case quirks.active() && (page.truncated || quirks.MarkersOnLastPage):
		d.some("NextKeyMarker", encode(page.nextKey))
		d.some("NextUploadIdMarker", page.nextID)
	case page.truncated:
		d.text("NextKeyMarker", encode(page.nextKey))
		d.text("NextUploadIdMarker", page.nextID)
	}
	d.number("MaxUploads", int64(q.max))
	d.text("Prefix", encode(q.prefix))
	d.some("Delimiter", encode(q.delimiter))
	d.truth("IsTruncated", page.truncated)
}

func (o *objectStore) writeUpload(d *document, u Upload, encode func(string) string) {
	d.open("Upload")
	d.text("Key", encode(u.Key))
	d.text("UploadId", u.UploadID)
	o.writeParties(d)
	d.text("StorageClass", o.traits.storageClass)
	q := &o.sandbox.opt.Quirks
	if q.Initiated != nil {
		u.Initiated = q.Initiated(u)
	}
	if !q.NoInitiated {
		d.text("Initiated", o.traits.date(u.Initiated))
	}
	d.close("Upload")
}

// writeParties writes who began an upload and whose it is. A service that names neither has no parties.
func (o *objectStore) writeParties(d *document) {
	for _, p := range o.traits.parties {
		d.open(p.role)
		d.text("ID", p.id)
		d.some("DisplayName", p.name)
		d.close(p.role)
	}
}

// listParts answers ListParts.
func (o *objectStore) listParts(w http.ResponseWriter, c *call) *refusal {
	max, no := o.pageSize(c, "max-parts")
	if no != nil {
		return no
	}
	kind, encode, no := o.encoding(c)
	if no != nil {
		return no
	}
	above, err := c.query.count("part-number-marker", 0)
	if err != nil {
		return denyBecause("InvalidArgument", "Argument part-number-marker must be an integer")
	}
	if c.target.UploadID == "" && o.traits.emptyUploadID != "" {
		return deny(o.traits.emptyUploadID)
	}
	from := above
	if o.sandbox.opt.Quirks.PartMarkerIncluded {
		from--
	}
	parts, more, ok := c.bucket.parts(c.at.key, c.target.UploadID, from, max, c.r.UserAgent())
	if !ok {
		return deny("NoSuchUpload")
	}
	d := o.document("ListPartsResult")
	d.text("Bucket", c.at.bucket)
	if o.traits.codingAlways || kind != "" {
		d.text(o.traits.partsCoding, kind)
	}
	d.text("Key", encode(c.at.key))
	d.text("UploadId", c.target.UploadID)
	o.writeParties(d)
	d.text("StorageClass", o.traits.storageClass)
	o.writeParts(d, parts, above, max, more)
	d.close("ListPartsResult")
	send(w, http.StatusOK, d)
	return nil
}

func (o *objectStore) writeParts(d *document, parts []listedPart, above, max int, more bool) {
	d.number("PartNumberMarker", int64(above))
	next := above
	if len(parts) > 0 {
		next = parts[len(parts)-1].Number
	}
	d.number("NextPartNumberMarker", int64(next))
	d.number("MaxParts", int64(max))
	d.truth("IsTruncated", more)
	for _, p := range parts {
		d.open("Part")
		d.text("PartNumber", strconv.Itoa(p.Number))
		d.text("LastModified", o.traits.date(p.Modified))
		d.text("ETag", `"`+p.etag+`"`)
		d.number("Size", p.Size)
		d.close("Part")
	}
}

// document starts an answer.
func (o *objectStore) document(root string) *document {
	d := newDocument(o.traits.blank)
	d.root(root, o.traits.namespace)
	return d
}
