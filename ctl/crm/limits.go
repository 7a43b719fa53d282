package crm

const (
	// textMax bounds a text in bytes: a thousand times what the largest clusters have.
	textMax = 16 << 20

	// errorsMax bounds the errors of one text: the first ones are of use, later ones often follow from them.
	errorsMax = 20
)
