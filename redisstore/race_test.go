//go:build race

package redisstore_test

const raced = true // it makes everything several times slower
