package main

import (
	"fmt"
	"os"
	"strings"
)

func Example_tabulate() {
	err := tabulate(os.Stdout, strings.NewReader(`
BenchmarkRoundTrip/goroutines=1/by=apivideo-2    100  350.0 ns/op  720 B/op  3 allocs/op
BenchmarkRoundTrip/goroutines=1/by=oauth2-2      100  700.0 ns/op  1968 B/op  7 allocs/op
BenchmarkRoundTrip/goroutines=1/by=bare-2        100  8.25 ns/op  0 B/op  0 allocs/op
BenchmarkRoundTrip/goroutines=1/by=apivideo-2    100  340.0 ns/op  720 B/op  3 allocs/op
BenchmarkRoundTrip/goroutines=1/by=oauth2-2      100  680.0 ns/op  1968 B/op  7 allocs/op
BenchmarkRoundTrip/goroutines=1/by=apivideo-2    100  3000 ns/op  720 B/op  3 allocs/op
BenchmarkRoundTrip/goroutines=1/by=oauth2-2      100  980.0 ns/op  1968 B/op  7 allocs/op
BenchmarkToken/goroutines=1/by=apivideo-2        100  90.0 ns/op  14 B/op  0.1250 allocs/op
BenchmarkToken/goroutines=1/by=oauth2-2          100  80.0 ns/op  0 B/op  0 allocs/op
`))
	fmt.Println(err)
	// Output:
	// | | ÷ x/oauth2 | ÷ cloud auth | ÷ limit | apivideo | x/oauth2 | cloud auth | limit | bare |
	// |---|---:|---:|---:|---:|---:|---:|---:|---:|
	// | request without a network, 1 goroutine | **0.50** |  |  | 350.0ns ±∞ | 700.0ns ±∞ |  |  | 8.250ns ±∞ |
	// | its allocations | **0.43** |  |  | 3 | 7 |  |  | 0 |
	// | its bytes | **0.37** |  |  | 720 B | 1968 B |  |  | 0 B |
	// | `TokenContext`, with x/oauth2 `ReuseTokenSource`, 1 goroutine | **1.13** |  |  | 90.00ns ±∞ | 80.00ns ±∞ |  |  |  |
	// | its allocations, 1 goroutine |  |  |  | 0.125 | 0 |  |  |  |
	// <nil>
}
