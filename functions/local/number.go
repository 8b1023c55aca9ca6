package main

import (
	"fmt"
	"strconv"
	"strings"
)

// A number is the value of a flag: a whole number, not below the least, nor above the most unless that is 0, perhaps with its unit
// behind it.
type number struct {
	value *int
	least int
	most  int
	unit  string
}

// String returns the number.
func (n *number) String() string {
	if n.value == nil {
		return ""
	}
	return strconv.Itoa(*n.value)
}

// Set reads the number.
func (n *number) Set(text string) error {
	v, err := strconv.Atoi(strings.TrimSuffix(text, n.unit))
	switch {
	case err != nil || v < n.least:
		return fmt.Errorf("write a whole number, at least %d", n.least)
	case n.most > 0 && v > n.most:
		return fmt.Errorf("write a whole number, at most %d", n.most)
	}
	*n.value = v
	return nil
}

// Type is what help calls it.
func (n *number) Type() string { return "int" }
