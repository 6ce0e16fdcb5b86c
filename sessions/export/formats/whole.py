"""One file with all of it: a Standard MIDI File, or audio, with a cue sheet where one is asked for."""

from __future__ import annotations

from functools import partial

from sessions.export.formats import WHOLE, Export, ExportFormat


def _write_midi(export: Export) -> None:
    from sessions.export.audio import present_midi
    from sessions.export.session_midi import join_midi

    programme = export.programme
    midi = present_midi(export.store, programme.items)
    placed = [(item.onset_s, midi[item.piece.id]) for item in programme.items if item.piece]
    export.writer.put(export.path, join_midi(placed, title=programme.title, duration_s=programme.duration_s))


def _write_audio(format: str, export: Export) -> None:
    from sessions.export.audio import AudioFile, Renderer
    from sessions.export.cue_sheet import cue_sheet
    from sessions.export_paths import check_text_name

    path, programme = export.path, export.programme
    sheet = b""
    if export.cue:
        check_text_name(path.name)
        sheet = cue_sheet(programme, path.name, format).encode()
        export.writer.is_current(path.with_suffix(".cue"), sheet, side_of=path)
    whole = AudioFile(path, programme.items, programme.title)
    export.writer.put_audio(
        Renderer(export.store, programme.items, format, export.sound, programme), [whole], export.sound
    )
    if export.cue:
        export.writer.put(path.with_suffix(".cue"), sheet)


FORMATS = (
    ExportFormat("midi", (".mid", ".midi"), WHOLE, _write_midi, of_pieces=True),
    *(
        ExportFormat(name, (f".{name}",), WHOLE, partial(_write_audio, name), sounds=True, of_pieces=True)
        for name in ("wav", "flac", "ogg", "mp3")
    ),
)
