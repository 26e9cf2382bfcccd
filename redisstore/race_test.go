//go:build race

package redisstore_test

// raced: the race detector makes everything several times slower.
const raced = true
