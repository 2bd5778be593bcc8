/** What the examples of devices have in common. */
export const KEY = { key_id: 41, access_key: "kb_7Jx2m…", label: "ACME, order 1187" };
export const LAPTOP = { name: "Laptop", platform: "macos" };
export const OFFICE_PC = { name: "Office PC", platform: "windows" };
