package crm

const (
	// textMax bounds a text in bytes: a thousand times what the largest clusters have.
	textMax = 16 << 20

	// printTries bounds how often a text is written anew because an object did not come back from it: an object that becomes
	// XML can uncover another, but not for long.
	printTries = 4

	// errorsMax bounds the errors of one text: the first ones are of use, later ones often follow from them.
	errorsMax = 20
)
