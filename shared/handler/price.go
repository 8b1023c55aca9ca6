package handler

import (
	_ "embed"
	"encoding/json"
	"sync"
)

//go:embed prices.json
var pricesJSON []byte

// A Price is what a GB (2^30 bytes) costs a month in USD, and where the figure is from.
type Price struct {
	Price  float64 `json:"price"`
	Source string  `json:"source"`
	Date   string  `json:"date"`
}

// prices is read when it is first needed, so that it costs a cold start nothing.
var prices = sync.OnceValue(func() map[string]Price {
	var file struct{ Stores map[string]Price }
	if err := json.Unmarshal(pricesJSON, &file); err != nil {
		panic("prices.json: " + err.Error()) // it is compiled in, and a test reads it
	}
	return file.Stores
})

// Price returns what storage costs at a service: the setting's figure, or the built-in one.
func (s Settings) Price(store string) Price {
	if p := s.Stores[store].Price; p > 0 {
		return Price{Price: p, Source: "the settings"}
	}
	return prices()[store]
}

// MonthlyCost estimates what a number of bytes costs a month in USD.
func (p Price) MonthlyCost(bytes int64) float64 { return float64(bytes) / (1 << 30) * p.Price }
