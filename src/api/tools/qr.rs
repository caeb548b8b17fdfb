//! QR codes: as text of half blocks, and as a small 1-bit PNG.
//!
//! Too long a text has none: a code that no camera reads, or that fills a context, helps nobody.

use qrcode::{Color, EcLevel, QrCode};

/// The largest code drawn, in modules a side (version 20).
const MODULES_MAX: usize = 97;

/// The most a PNG may weigh, in bytes.
const PNG_MAX: usize = 4_096;

/// Light modules around the code. The standard asks for 4; text is drawn with 2, which cameras
/// take.
const QUIET_PNG: usize = 4;
const QUIET_TEXT: usize = 2;

/// A drawn code.
pub(super) struct Drawing {
    /// Two modules to a character, light ones filled: right way round on a dark terminal.
    pub(super) text: String,
    /// Four pixels to a module.
    pub(super) png: Option<Vec<u8>>,
}

/// An invoice as cameras of wallets expect it: upper case, which packs more densely.
pub(super) fn invoice(bolt11: &str) -> Option<Drawing> {
    draw(&format!("LIGHTNING:{}", bolt11.to_uppercase()))
}

/// A token as it is. `None`: too long.
pub(super) fn token(token: &str) -> Option<Drawing> {
    draw(token)
}

fn draw(payload: &str) -> Option<Drawing> {
    let code = QrCode::with_error_correction_level(payload.as_bytes(), EcLevel::L).ok()?;
    let side = code.width();
    if side > MODULES_MAX {
        return None;
    }
    let colors = code.to_colors();
    // Outside the code everything is light; `x` and `y` count from the edge of the quiet zone.
    let dark = |x: usize, y: usize, quiet: usize| -> bool {
        let (Some(x), Some(y)) = (x.checked_sub(quiet), y.checked_sub(quiet)) else { return false };
        x < side && y < side && colors.get(y * side + x) == Some(&Color::Dark)
    };
    Some(Drawing {
        text: as_text(side, &dark),
        png: as_png(side, &dark).filter(|png| png.len() < PNG_MAX),
    })
}

fn as_text(side: usize, dark: &dyn Fn(usize, usize, usize) -> bool) -> String {
    let whole = side + 2 * QUIET_TEXT;
    let mut text = String::with_capacity(whole * whole * 2);
    for y in (0..whole).step_by(2) {
        for x in 0..whole {
            let (upper, lower) = (dark(x, y, QUIET_TEXT), dark(x, y + 1, QUIET_TEXT));
            text.push(match (upper, lower) {
                (false, false) => '█',
                (false, true) => '▀',
                (true, false) => '▄',
                (true, true) => ' ',
            });
        }
        text.push('\n');
    }
    text
}

fn as_png(side: usize, dark: &dyn Fn(usize, usize, usize) -> bool) -> Option<Vec<u8>> {
    const SCALE: usize = 4;
    let pixels = (side + 2 * QUIET_PNG) * SCALE;
    let row_bytes = pixels.div_ceil(8);
    let mut image = vec![0u8; row_bytes * pixels];
    for (y, row) in image.chunks_mut(row_bytes).enumerate() {
        for x in 0..pixels {
            if let (false, Some(byte)) = (dark(x / SCALE, y / SCALE, QUIET_PNG), row.get_mut(x / 8))
            {
                *byte |= 0x80 >> (x % 8);
            }
        }
    }
    let mut file = Vec::new();
    let edge = u32::try_from(pixels).ok()?;
    let mut encoder = png::Encoder::new(&mut file, edge, edge);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::One);
    encoder.set_compression(png::Compression::High);
    let mut writer = encoder.write_header().ok()?;
    writer.write_image_data(&image).ok()?;
    writer.finish().ok()?;
    Some(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invoice_is_drawn_small() {
        let drawn = invoice(&format!("lnbc1{}", "q".repeat(340)));
        let png = drawn.as_ref().and_then(|d| d.png.as_ref()).map_or(0, Vec::len);
        assert!(png > 100 && png < PNG_MAX, "{png}");
        assert!(drawn.is_some_and(
            |d| d.text.chars().all(|c| "█▀▄ \n".contains(c)) && d.text.lines().count() < 45
        ));
    }

    #[test]
    fn the_largest_png_stays_small_and_longer_texts_have_none() {
        let noisy: String =
            (0..840u32).map(|i| char::from(b'!' + (i.wrapping_mul(7_919) % 90) as u8)).collect();
        assert!(token(&noisy).is_some_and(|d| d.png.is_some()));
        assert!(token(&"x".repeat(1_000)).is_none());
    }
}
