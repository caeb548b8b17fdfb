//! QR codes, as text of half blocks and as a small 1-bit PNG.
//!
//! A long text gets no code, because cameras cannot read it and it would fill an agent's context.

use qrcode::{Color, EcLevel, QrCode};

/// The largest code, in modules per side (version 20).
const MODULES_MAX: usize = 97;

/// The maximum size of a PNG, in bytes.
const PNG_MAX: usize = 4_096;

/// Light modules around the code. The standard requires 4; cameras also read text with 2.
const QUIET_PNG: usize = 4;
const QUIET_TEXT: usize = 2;

/// A drawn code.
pub(super) struct Drawing {
    /// The code as text: two modules per character, light modules filled, for dark terminals.
    pub(super) text: String,
    /// The code as a PNG: four pixels per module.
    pub(super) png: Option<Vec<u8>>,
}

/// Draws an invoice in upper case, which packs more densely. `None` if it is too long.
pub(super) fn invoice(bolt11: &str) -> Option<Drawing> {
    draw(&format!("LIGHTNING:{}", bolt11.to_uppercase()))
}

/// Draws a token. `None` if it is too long.
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
    // Everything outside the code is light; `x` and `y` count from the edge of the quiet zone.
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
