use std::collections::BTreeSet;

use super::*;

fn image(height: usize, width: usize, channels: usize, seed: u64) -> Image {
    let mut stream = Seed(seed).stream();
    let pixels = (0..height * width * channels).map(|_| stream.next_u32() as u8).collect();
    Image { height, width, channels, pixels: Pixels::U8(pixels) }
}

fn rendered(view: &View, image: &Image) -> Vec<f32> {
    let mut out = vec![f32::NAN; view.crop * view.crop * image.channels];
    view.render(&image.crop(view.window).unwrap(), &mut out).unwrap();
    out
}

fn plain(crop: usize) -> AugmentConfig {
    AugmentConfig { crop, horizontal_flip: 0.0, vertical_flip: 0.0, ..AugmentConfig::default() }
}

#[test]
fn flipping_twice_changes_nothing() {
    let image = image(6, 6, 5, 1);
    let mut view = View::fixed(Window::whole(6, 6));
    let still = rendered(&view, &image);
    for (horizontal, vertical) in [(true, false), (false, true), (true, true)] {
        (view.flip_horizontal, view.flip_vertical) = (horizontal, vertical);
        let once = rendered(&view, &image);
        assert_ne!(once, still);
        let bytes = once.iter().map(|v| (v * 255.0).round() as u8).collect();
        let flipped = Image { pixels: Pixels::U8(bytes), ..image.clone() };
        assert_eq!(rendered(&view, &flipped), still);
    }
    (view.flip_horizontal, view.flip_vertical) = (true, false);
    let mirrored = rendered(&view, &image);
    assert_eq!(mirrored[0..5], still[25..30], "the last pixel of a row comes first, channels in order");
}

#[test]
fn windows_lie_inside_and_reach_every_position() {
    let config = plain(5);
    let mut seen = BTreeSet::new();
    for i in 0..2000 {
        let view = draw(&config, 8, 7, 5, view_seed(Seed(3), 0, i, 0)).unwrap();
        view.window.check(8, 7).unwrap();
        seen.insert((view.window.top, view.window.left));
    }
    assert_eq!(seen.len(), 4 * 3);
    assert!(draw(&config, 4, 7, 5, Seed(0)).is_err(), "a crop larger than the image is refused");
}

#[test]
fn views_depend_on_their_own_seed_alone() {
    let config = AugmentConfig { crop: 16, ..AugmentConfig::september_2023_channel_drop() };
    let draw_one = |i| draw(&config, 40, 40, 5, view_seed(Seed(1), 2, i, 1)).unwrap();
    let forward: Vec<View> = (0..50).map(draw_one).collect();
    let backward: Vec<View> = (0..50).rev().map(draw_one).collect();
    assert!(forward.iter().eq(backward.iter().rev()));
    assert_ne!(view_seed(Seed(1), 2, 3, 1), view_seed(Seed(1), 2, 1, 3));
}

#[test]
fn probabilities_are_kept_and_output_stays_in_range() {
    let config = AugmentConfig { crop: 8, colour: 0.2, resize: 0.3, channel_drop: 0.1, ..AugmentConfig::default() };
    let image = image(12, 12, 5, 4);
    let (n, mut counts) = (4000, [0usize; 5]);
    for i in 0..n {
        let view = draw(&config, 12, 12, 5, view_seed(Seed(9), 0, i, 0)).unwrap();
        counts[0] += usize::from(view.flip_horizontal);
        counts[1] += usize::from(view.flip_vertical);
        counts[2] += usize::from(view.colours.iter().any(|c| c.shift != 0.0));
        // A drawn side of 8 looks like an ordinary crop, but areas begin at 0.6 of 144: side 9.
        counts[3] += usize::from(view.window.height != 8);
        counts[4] += view.colours.iter().filter(|c| c.dropped).count();
        for colour in &view.colours {
            assert!(colour.shift.abs() <= 0.2 && (colour.exponent - 1.0).abs() <= 0.1 + 1e-6);
        }
        assert!(rendered(&view, &image).iter().all(|v| (0.0..=1.0).contains(v)), "no NaN, nothing outside");
    }
    for (count, expected) in counts.into_iter().zip([0.5, 0.5, 0.2, 0.3, 0.5]) {
        let rate = count as f64 / n as f64;
        assert!((rate - expected).abs() < 0.04, "{rate} for {expected}");
    }
}

#[test]
fn dark_pixels_under_a_negative_shift_are_black_and_not_nan() {
    let colour = Colour { shift: -0.2, exponent: 0.93, dropped: false };
    assert_eq!(colour.apply(0.1), 0.0);
    assert_eq!(Colour { shift: 0.2, ..colour }.apply(1.0), 1.0);
    assert!((colour.apply(0.7) - 0.5f32.powf(0.93)).abs() < 1e-7);
}

#[test]
fn a_coloured_byte_is_the_coloured_number() {
    let image = image(4, 4, 3, 5);
    let mut view = View::fixed(Window::whole(4, 4));
    view.colours = vec![
        Colour { shift: 0.1, exponent: 1.05, dropped: false },
        Colour { shift: -0.15, exponent: 0.95, dropped: false },
        Colour { shift: 0.0, exponent: 1.0, dropped: true },
    ];
    let Pixels::U8(bytes) = &image.pixels else { unreachable!() };
    for (i, value) in rendered(&view, &image).into_iter().enumerate() {
        assert_eq!(value, view.colours[i % 3].apply(f32::from(bytes[i]) / 255.0));
    }
}

#[test]
fn resizing_at_scale_one_is_the_identity_and_keeps_constants() {
    let image = image(9, 9, 2, 6);
    let Pixels::U8(bytes) = &image.pixels else { unreachable!() };
    for antialias in [false, true] {
        let same = resize::bilinear(&image, 9, 9, antialias);
        assert!(same.iter().zip(bytes).all(|(a, &b)| *a == f32::from(b) / 255.0));
        let grey = Image { pixels: Pixels::U8(vec![100; 162]), ..image.clone() };
        assert!(resize::bilinear(&grey, 5, 13, antialias).iter().all(|v| (v - 100.0 / 255.0).abs() < 1e-6));
    }
}

#[test]
fn resizing_agrees_with_pytorch() {
    #[derive(serde::Deserialize)]
    struct Case {
        height: usize,
        width: usize,
        channels: usize,
        pixels: Vec<u8>,
        to: [usize; 2],
        antialias: bool,
        expected: Vec<f32>,
    }
    #[derive(serde::Deserialize)]
    struct Golden {
        tolerance: f32,
        cases: Vec<Case>,
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/goldens/images_resize.json");
    let golden: Golden = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(golden.cases.len() >= 8);
    for case in golden.cases {
        let image =
            Image { height: case.height, width: case.width, channels: case.channels, pixels: Pixels::U8(case.pixels) };
        let ours = resize::bilinear(&image, case.to[0], case.to[1], case.antialias);
        assert_eq!(ours.len(), case.expected.len());
        for (a, b) in ours.iter().zip(&case.expected) {
            assert!((a - b).abs() <= golden.tolerance, "{a} {b}");
        }
    }
}

#[test]
fn evaluation_windows_are_fixed() {
    let corners = |w: Vec<Window>| w.iter().map(|w| (w.top, w.left)).collect::<Vec<_>>();
    let of = |crops| corners(windows(crops, 4, 10, 8).unwrap());
    assert_eq!(of(EvaluationCrops::Centre), [(3, 2)]);
    assert_eq!(of(EvaluationCrops::Five), [(0, 0), (0, 4), (6, 0), (6, 4), (3, 2)]);
    assert_eq!(of(EvaluationCrops::Grid(2)), [(0, 0), (0, 4), (6, 0), (6, 4)]);
    assert!(windows(EvaluationCrops::Centre, 9, 10, 8).is_err());
}

#[test]
fn settings_out_of_range_and_unknown_ones_are_refused() {
    assert!(AugmentConfig::default().check().is_ok());
    assert!(AugmentConfig { colour: 1.5, ..plain(4) }.check().is_err());
    assert!(AugmentConfig { resize_area: [0.0, 1.0], ..plain(4) }.check().is_err());
    assert!(AugmentConfig { crop: 0, ..plain(4) }.check().is_err());
    assert!(serde_json::from_str::<AugmentConfig>(r#"{"crop": 64, "blur": 1}"#).is_err());
    let read: AugmentConfig = serde_json::from_str(r#"{"crop": 64}"#).unwrap();
    assert_eq!(read, AugmentConfig { crop: 64, ..AugmentConfig::default() });
}
