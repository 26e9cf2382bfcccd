//go:build !race

package apivideo_test

const raced = false
