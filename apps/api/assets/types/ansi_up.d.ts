// The parts of ansi_up that are used here, some of which it keeps for itself.
export type Colour = { rgb: number[]; class_name: string };
export type Fragment = {
  text: string;
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
  fg: Colour | null;
  bg: Colour | null;
};
export class AnsiUp {
  protected _buffer: string;
  ansi_to_html(text: string): string;
  protected with_state(packet: { text: string }): Fragment;
  protected transform_to_html(fragment: Fragment): string;
  protected process_hyperlink(packet: { text: string }): string;
}
