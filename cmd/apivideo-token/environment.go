package main

import (
	"net"
	"slices"
	"strings"
)

// environment is a list of NAME=VALUE. If a name is twice in it, the last counts.
type environment []string

// get returns a value, and whether the variable is set.
func (e environment) get(name string) (value string, ok bool) {
	for _, entry := range slices.Backward(e) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}

func (e environment) value(name string) string {
	value, _ := e.get(name)
	return value
}

func (e *environment) set(name, value string) {
	e.unset(func(other string) bool { return other == name })
	*e = append(*e, name+"="+value)
}

func (e *environment) unset(drop func(name string) bool) {
	*e = slices.DeleteFunc(*e, func(entry string) bool {
		name, _, _ := strings.Cut(entry, "=")
		return drop(name)
	})
}

// forChild returns the environment of a program behind the proxy: with the proxy
// instead of the API, and its secret instead of the API key.
func (e environment) forChild(url, secret string) environment {
	child := slices.Clone(e)
	child.unset(func(name string) bool {
		return strings.HasPrefix(strings.ToUpper(name), keyVariable) || strings.EqualFold(name, baseURLVariable)
	})
	child.exempt("127.0.0.1")
	child.set(baseURLVariable, url)
	child.set(keyVariable, secret)
	return child
}

// exempt has programs reach a host without the proxy that e names, and leaves
// everything else as it is. Clients differ in which spelling of NO_PROXY they
// prefer, so each keeps its own value.
func (e *environment) exempt(host string) {
	proxied := false
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"} {
		proxied = proxied || e.value(name) != ""
	}
	if !proxied {
		return
	}
	upper, lower := e.value("NO_PROXY"), e.value("no_proxy")
	if _, set := e.get("no_proxy"); !set {
		lower = upper
	}
	if upper == "" { // then Go and others look at the other spelling
		upper = lower
	}
	for name, value := range map[string]string{"NO_PROXY": upper, "no_proxy": lower} {
		if strings.TrimSpace(value) != "*" { // which has a meaning only by itself
			e.set(name, strings.TrimPrefix(value+","+host, ","))
		}
	}
}

// unexempt removes what has programs reach these hosts without a proxy.
func (e *environment) unexempt(hosts ...string) {
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		value, set := e.get(name)
		if !set {
			continue
		}
		if strings.TrimSpace(value) == "*" { // no proxy at all, so none for http URLs either
			e.unset(func(name string) bool {
				return slices.Contains([]string{"HTTP_PROXY", "ALL_PROXY"}, strings.ToUpper(name))
			})
		}
		kept := slices.DeleteFunc(strings.FieldsFunc(value, func(r rune) bool { return r == ',' || r == ' ' }), func(entry string) bool {
			return slices.ContainsFunc(hosts, func(host string) bool { return covers(entry, host) })
		})
		e.set(name, strings.Join(kept, ","))
	}
}

// covers reports whether an entry of NO_PROXY is about host.
func covers(entry, host string) bool {
	if name, _, err := net.SplitHostPort(entry); err == nil { // an IPv6 address has no port without brackets
		entry = name
	}
	entry = strings.TrimLeft(strings.ToLower(entry), "*.")
	return entry == "" || entry == host || strings.HasSuffix(host, "."+entry)
}
