package grant

// Extra returns fields for one more token. They are copied if they have an object
// or a list, which the holder of the token could change.
func Extra(fields map[string]any) map[string]any {
	for _, v := range fields {
		switch v.(type) {
		case map[string]any, []any:
			return deepCopy(fields).(map[string]any)
		}
	}
	return fields
}

// deepCopy copies decoded JSON.
func deepCopy(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for name, inner := range v {
			m[name] = deepCopy(inner)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, inner := range v {
			list[i] = deepCopy(inner)
		}
		return list
	}
	return v
}
