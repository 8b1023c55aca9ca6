package page

import (
	"fmt"
	"math"
	"strconv"

	"github.com/partsweep/partsweep/shared/mpu"
)

// Money writes an amount in USD, small ones with two digits that say something.
func Money(usd float64) string {
	if usd == 0 || usd >= 0.01 {
		return "$" + grouped(strconv.FormatFloat(usd, 'f', 2, 64))
	}
	digits := int(math.Ceil(-math.Log10(usd))) + 1
	return fmt.Sprintf("$%.*f", digits, usd)
}

// Size writes bytes as people read them.
func Size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, exponent := float64(n)/unit, 0
	for value >= unit && exponent < 4 {
		value, exponent = value/unit, exponent+1
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[exponent])
}

// Count writes a number with a comma before every three digits.
func Count(n int) string { return grouped(strconv.Itoa(n)) }

// Short leaves out of an upload in the notation what is long and tells people little: the upload ID and the region.
func Short(upload string) string {
	r, err := mpu.Parse(upload)
	if err != nil || mpu.ByMediaID(r.Bucket.Store) {
		return upload
	}
	r.UploadID, r.Bucket.Region = "", ""
	return r.String()
}

// grouped puts commas into the digits before the point.
func grouped(s string) string {
	end := len(s)
	for i := range s {
		if s[i] == '.' {
			end = i
			break
		}
	}
	for i := end - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
