package standin

import "regexp"

// Resource is a row of the table: a kind of thing that clients create, and the
// operations on it.
type Resource struct {
	Name   string // also of its collection
	Of     string // the resource whose collection it shows, if it has none
	Path   string
	Parent string // the resource that it belongs to
	ID     string // the field with its identifier
	Prefix string // of the identifier; clients choose it if this is empty

	// Statuses of the answers. An operation without one is not served.
	List, Create, Read, Update, Delete int

	Fields  []Field
	Filters []Filter
	Sort    []string       // the fields that lists can be sorted by
	Only    map[string]any // the values of the items that it shows; nil for all
	Unique  string         // a field whose values differ, a second one is a conflict
	Sole    string         // a field that is true for one item of a parent at most, the newest

	Upload      *Upload // clients create it with a file
	Attachments []Attachment
	Actions     []Action

	// Finish sets what follows from the values of a new item, or refuses them.
	Finish func(a *api, values map[string]any) *Problem

	// Discard returns what a deletion makes of an item. If it is nil, the item
	// is deleted.
	Discard func(*item) *item

	// Follow is called with each change of the collection. A nil item stands for
	// none.
	Follow func(a *api, old, now *item)

	// Derive computes the items of a list. If it is nil, they are in the collection.
	Derive func(c *call) (items []*item, context fields, refused *Problem)
}

// Upload says which files an operation takes.
type Upload struct {
	Extensions []string // nil for all
	Max        int64    // bytes; 0 for no limit
}

// Attachment is a file that belongs to an item.
type Attachment struct {
	Name         string
	Post, Delete int // the statuses
	Upload       Upload
}

// Action is an operation that is none of the usual ones.
type Action struct {
	Method, Path string // below the item's path
	Status       int
	Do           func(c *call) (any, *Problem)
}

// Filter is a parameter of lists.
type Filter struct {
	Name  string // of the parameter
	Field string // the same if it is empty
	Pairs bool   // the parameter's keys count, as in name[key]=value
	Match func(value any, want []string) bool
}

// Type is the type of a field's value in JSON.
type Type int

// The types. A Time is a text in ATOM format.
const (
	Text Type = iota
	Boolean
	Integer
	Time
	List   // of texts, or of objects if the field has Fields
	Object // of texts, or as its Fields say
)

// Write says when a client may set a field.
type Write int

// A seed may set every field.
const (
	OnCreate Write = 1 << iota
	OnUpdate
	onSeed
	Always = OnCreate | OnUpdate
)

// Field is a row of a resource.
type Field struct {
	Name     string
	Type     Type
	Write    Write
	Fields   []Field // of an object, or of each object of a list
	Required bool    // and neither null nor empty
	Default  any     // a value, or a func() any; nil for none
	Null     bool    // a value that is missing is null in answers, else the field is left out
	Hidden   bool    // it is in no answer
	Secret   bool    // a text that a record of requests must not show
	Enum     []string
	Pattern  *regexp.Regexp // of a text
	Detail   string         // what is wrong with a value that Enum or Pattern refuses
	Max      int64          // characters of a text or elements of a list, 0 for no limit; or the greatest integer, 0 for that of 32 bits

	// Show computes the value for answers. If it is nil, the answer has the
	// stored value.
	Show func(v view) any
}
