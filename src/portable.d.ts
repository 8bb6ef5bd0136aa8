// The number types of AssemblyScript, as TypeScript sees them.
//
// assembly/layout.ts is read by both compilers; here its widths are only names for `number`. Nothing else may rely on
// them: TypeScript code says `number`.

type u8 = number;
type u16 = number;
type u32 = number;
type i32 = number;
type f64 = number;
type usize = number;
