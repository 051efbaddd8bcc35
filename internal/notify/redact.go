package notify

import (
	"encoding/json"
	"strings"
)

// What a whole tenant must not be told of a client (contract/events.md: "no phone, email or notes of the client"), and
// what nobody must be told of anybody. Names are compared without case and underscores.
var (
	privateMembers = set("clientphone", "clientemail", "clientnotes", "clientaddress", "clientbirthday", "phone", "email")
	clientObjects  = set("client", "clients", "clientuser", "clientusers", "customer", "customers", "patient")
	clientMembers  = set("phone", "email", "notes", "address", "birthday", "avatar", "emailverified")
	secretMembers  = set("password", "passwordhash", "token", "accesstoken", "refreshtoken", "secret")
)

// redact is an object about an appointment, as a caller gave it, without personal data. Outermost, it drops the
// client's phone, email, notes, address and birthday (clientPhone, …) and a bare phone or email, which can only be the
// client's; the appointment's own notes stay. In objects of a client, at any depth, it drops phone, email, notes,
// address, birthday, avatar; everywhere, a password or token, because callers send Prisma's rows with the user
// included. All else stays. What is no object is returned as it is.
func redact(v json.RawMessage) json.RawMessage {
	return strip(v, func(key string) bool { return privateMembers[key] }, false)
}

// strip goes into objects and lists, whose depth the checks of the input bound. drop is for the outermost object.
func strip(v json.RawMessage, drop func(key string) bool, ofClient bool) json.RawMessage {
	switch firstByte(v) {
	case '{':
		var m map[string]json.RawMessage
		if json.Unmarshal(v, &m) != nil {
			return json.RawMessage("null")
		}
		for name, inner := range m {
			key := folded(name)
			if secretMembers[key] || ofClient && clientMembers[key] || drop != nil && drop(key) {
				delete(m, name)
				continue
			}
			m[name] = strip(inner, nil, ofClient || clientObjects[key])
		}
		return mustEncode(m)
	case '[':
		var list []json.RawMessage
		if json.Unmarshal(v, &list) != nil {
			return json.RawMessage("null")
		}
		for i := range list {
			list[i] = strip(list[i], nil, ofClient)
		}
		return mustEncode(list)
	}
	return v
}

// mustEncode encodes maps and lists of valid JSON, which always works; were it not so, nothing is better than the
// original.
func mustEncode(v any) json.RawMessage {
	b, err := encode(v)
	if err != nil {
		return json.RawMessage("null")
	}
	return b
}

func folded(name string) string { return strings.ToLower(strings.ReplaceAll(name, "_", "")) }

func set(names ...string) map[string]bool {
	m := make(map[string]bool, len(names))
	for _, n := range names {
		m[n] = true
	}
	return m
}
