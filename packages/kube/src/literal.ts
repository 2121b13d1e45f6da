/** A text of a caller's as a manifest must have it: the kubelet expands `$(NAME)` in commands and environment values, and takes `$$` for `$`. */
export function literal(text: string): string {
  return text.replaceAll(/\${2,}|\$(?=\()/g, (dollars) => dollars + dollars);
}
